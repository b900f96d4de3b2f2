import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { colour } from '../theme'

/* uPlot and what all our plots share. Loaded by `import()`, so that pages without plots do not carry it. */

export { uPlot }

/** An axis in the colours of the theme. */
export const axis = (label: string, more: uPlot.Axis = {}): uPlot.Axis => ({
  label,
  stroke: colour('quiet'),
  labelSize: 20,
  font: '12px system-ui, sans-serif',
  labelFont: '12px system-ui, sans-serif',
  grid: { stroke: colour('line'), width: 1 },
  ticks: { stroke: colour('line'), width: 1 },
  ...more,
})

/** 1,200,000 as 1.2M: short enough for an axis. */
export const short = (value: number): string =>
  Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 }).format(value)

/** Keeps a plot as wide as its place; @returns stops */
export function followWidth(plot: uPlot, place: HTMLElement, height: number): () => void {
  const observer = new ResizeObserver(([{ contentRect }]) =>
    plot.setSize({ width: contentRect.width, height }),
  )
  observer.observe(place)
  return () => observer.disconnect()
}
