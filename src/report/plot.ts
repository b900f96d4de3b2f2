import type { PlotOptions } from '@observablehq/plot'

/** Observable Plot, of which the marks and transforms of a figure are made: `plot((Plot) => ({ marks: [Plot.dot(...)] }))`. */
export type Plot = typeof import('@observablehq/plot')

/** Colours of groups without an order, safe for colour-blind people, on light and on dark. */
export const groupColours = ['#0072b2', '#d55e00', '#00835f', '#b04f86', '#a87400', '#2f8fc4', '#7a3fa0']

/**
 * Draws a figure with Observable Plot (https://observablehq.com/plot) into a string of HTML that needs no script: an <svg>, or a <figure> with a
 * legend and an <svg>. Lines and text take the page's colour, groups `groupColours`.
 * @param describe makes the options of `Plot.plot`; `ariaLabel` says in words what is to be seen
 */
export async function plot(
  describe: (plot: Plot) => PlotOptions & { ariaLabel: string },
  width = 620,
): Promise<string> {
  // Only reports need them, and they take a tenth of a second to load.
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const { color, style, ...options } = describe(Plot)
  const figure = Plot.plot({
    width,
    height: Math.round(width * 0.55),
    ...options,
    document: document as unknown as PlotOptions['document'],
    color: { range: groupColours, ...color },
    style: { fontSize: '12px', background: 'none', overflow: 'visible', ...(style as object) },
  })
  return figure.outerHTML
}
