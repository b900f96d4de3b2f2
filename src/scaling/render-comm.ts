import { formatSeconds } from '../progress/rate.js'
import { formatBytes } from '../storage/free-space.js'
import { percent } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import { type CommReport, commKinds, roundsAndBytes } from './comm-model.js'

const names: Record<keyof CommReport['exchanges'], string> = {
  sum: 'sum, f32',
  sumInBf16: 'sum, bf16',
  allToAll: 'all to all',
  allGather: 'all gather',
  broadcast: 'broadcast (JavaScript)',
  gather: 'gather (JavaScript)',
}

/** What was measured and the fitted model, for a terminal. */
export function renderComm({ machine, library, ranks, ranksPerNode, exchanges }: CommReport): string {
  const sizes = exchanges.sum.points.map(({ bytes }) => bytes)
  const times = commKinds.map((kind) => [
    names[kind],
    ...exchanges[kind].points.map(({ seconds }) => shortTime(seconds)),
  ])
  const models = commKinds.map((kind) => {
    const { secondsPerRound, secondsPerByte, worst } = exchanges[kind]
    const { rounds } = roundsAndBytes(kind, ranks, 0)
    const bandwidth = secondsPerByte > 0 ? `${formatBytes(1 / secondsPerByte)}/s` : '–'
    return [names[kind], shortTime(secondsPerRound), String(rounds), bandwidth, percent(worst, 0)]
  })
  return [
    `${ranks} ranks, at most ${ranksPerNode} on one machine; ${machine}; ${library.split(',')[0]}`,
    renderTable(
      [
        { heading: 'time', align: 'left' },
        ...sizes.map((bytes) => ({ heading: formatBytes(bytes).replace('bytes', 'B') })),
      ],
      times,
    ),
    'model: time = latency x rounds + bytes that a rank sends / bandwidth',
    renderTable(
      [
        { heading: '', align: 'left' },
        { heading: 'latency' },
        { heading: 'rounds' },
        { heading: 'bandwidth' },
        { heading: 'off by at most' },
      ],
      models,
    ),
  ].join('\n\n')
}

/** "1.2 us", "34 ms", "5.6 s", "3 min 05 s" */
export function shortTime(seconds: number): string {
  if (seconds >= 100) return formatSeconds(seconds)
  const [value, unit] =
    seconds < 1e-3 ? [seconds * 1e6, 'us'] : seconds < 1 ? [seconds * 1e3, 'ms'] : [seconds, 's']
  return `${Number(value.toPrecision(2))} ${unit}`
}
