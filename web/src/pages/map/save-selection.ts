import type { FeatureMap } from '../../../../src/server/protocol'

/** What the map knows of some points, as text that other programs read. */
export function selectionJson(run: string, map: FeatureMap, points: readonly number[]): string {
  const features = points.map((point) => ({
    feature: map.feature[point],
    x: map.x[point],
    y: map.y[point],
    cluster: map.cluster[point],
    density: map.density[point],
    max: map.max[point],
    score: map.score[point],
  }))
  return `${JSON.stringify({ run, features }, null, 2)}\n`
}

/** Lets the browser save a text as a file. */
export function saveText(text: string, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
