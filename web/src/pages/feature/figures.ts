import { number } from '../../components/tokens'

/** A share as a percentage of two or three significant digits. */
export const percent = (share: number): string => (share === 0 ? '0%' : `${number(100 * share)}%`)

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

/** How rare something is, in words. */
export const oneIn = (share: number): string => `1 in ${whole(1 / share)}`

/** A number with its sign in words that line up: a real minus. */
export const withMinus = (value: number): string => number(value).replace('-', '−')
