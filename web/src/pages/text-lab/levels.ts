/** Steps of the marks of surprise: up to which loss, nats. */
export const surpriseSteps = [1, 3, 6, 9] as const

/** How surprising a segment is: 0 expected, to 4. */
export const surprise = (loss: number | null): number =>
  loss === null ? 0 : surpriseSteps.filter((step) => loss > step).length

/** Steps of each side of a scale with two directions, --up-1 .. --up-4 and --down-1 .. --down-4. */
const signedSteps = 4

/** Where a value stands on such a scale: -4 to 4, 0 for what is too little to see. */
export function signedLevel(value: number, largest: number): number {
  const share = largest > 0 ? Math.min(Math.abs(value) / largest, 1) : 0
  return share < 0.02 ? 0 : Math.sign(value) * Math.ceil(share * signedSteps)
}

const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u
const letter = /\p{L}/u

/** Which way a line runs: that of its first letter. */
export function directionOf(texts: readonly string[]): 'ltr' | 'rtl' {
  for (const text of texts)
    for (const character of text)
      if (letter.test(character)) return rightToLeft.test(character) ? 'rtl' : 'ltr'
  return 'ltr'
}

/** Segments by line: a line ends with the segment that has a line end in it. */
export function linesOf(texts: readonly string[]): { first: number; texts: string[] }[] {
  const lines: { first: number; texts: string[] }[] = []
  let open = false
  texts.forEach((text, i) => {
    if (!open) lines.push({ first: i, texts: [] })
    lines[lines.length - 1].texts.push(text)
    open = !text.includes('↵')
  })
  return lines
}
