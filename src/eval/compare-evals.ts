import { join, resolve } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { openStage, readStageJson } from '../storage/open-stage.js'
import { firstDifference, type Json, runStage, type StageResult } from '../storage/stage.js'
import { comparisonPage } from './comparison-page.js'
import type { ComparedEval, EvalComparison, FrontierFigure } from './eval-comparison.js'
import { frontierOf } from './eval-plots.js'
import type { EvalReport } from './eval-report.js'
import { readEvalReport, reportFile } from './eval-stage.js'

/**
 * Compares finished evaluations and writes comparison.json and report.html.
 * @param directories of the `eval` stage, at least two
 * @throws MonosemError config (fewer than two, the same twice, other models or hook points), missing, corrupt
 */
export async function runCompareStage(directories: readonly string[], out: string): Promise<StageResult> {
  const comparison = await compareEvals(directories)
  const inputs = Object.fromEntries(directories.map((directory, i) => [`eval-${i + 1}`, directory]))
  const config = { names: comparison.evaluations.map(({ name }) => name) }
  return runStage({ stage: 'eval-comparison', out, config, inputs }, async (partial) => {
    const page = await comparisonPage(comparison)
    await writeFileAtomic(join(partial, 'comparison.json'), `${JSON.stringify(comparison, null, 2)}\n`)
    await writeFileAtomic(join(partial, reportFile), page)
  })
}

/** Reads what a finished comparison found. @throws MonosemError missing, corrupt */
export async function readComparison(directory: string): Promise<EvalComparison> {
  return readStageJson<EvalComparison>(directory, 'eval-comparison', 'comparison.json')
}

async function compareEvals(directories: readonly string[]): Promise<EvalComparison> {
  if (directories.length < 2)
    throw new MonosemError(
      'config',
      `eval compare: expected at least two evaluations, got ${directories.length}`,
      { hint: 'pass directories that monosem eval wrote' },
    )
  const names = distinctNames(directories)
  const found = await Promise.all(directories.map(openEvaluation))
  const warnings = found.slice(1).flatMap((other, i) => differences(names[0], found[0], names[i + 1], other))
  const evaluations = names.map((name, i) => ({ name, report: found[i].report }))
  return {
    hookName: found[0].report.targetHookName,
    evaluations,
    warnings,
    frontiers: {
      lossRecovered: frontierNames(evaluations, 'lossRecovered'),
      explainedVariance: frontierNames(evaluations, 'explainedVariance'),
    },
  }
}

interface OpenedEval {
  report: EvalReport
  /** hash of the model that it was made with */
  model: string
  /** what decides which text was read */
  sample: Json
}

async function openEvaluation(directory: string): Promise<OpenedEval> {
  const { config, manifest } = await openStage(directory, 'eval')
  const report = await readEvalReport(directory)
  if (report.decoder === undefined)
    throw new MonosemError('format', `${directory}: expected an evaluation of this version`, {
      hint: 'evaluate again, into another directory',
    })
  return {
    report,
    model: manifest.inputs.model.manifestSha256,
    sample: {
      corpus: manifest.inputs.corpus.manifestSha256,
      tokens: config.tokens,
      meanTokens: config.meanTokens,
    },
  }
}

/** What is to be said of two samples. @throws MonosemError config (another model or hook point: figures that mean something else) */
function differences(firstName: string, first: OpenedEval, name: string, other: OpenedEval): string[] {
  const refuse = (what: string, expected: string, got: string): never => {
    throw new MonosemError(
      'config',
      `eval compare: expected evaluations of one ${what}, got ${expected} (${firstName}) and ${got} (${name})`,
      { hint: 'losses and variances of different activations do not compare' },
    )
  }
  const { targetHookName } = first.report
  if (other.report.targetHookName !== targetHookName)
    refuse('hook point', targetHookName, other.report.targetHookName)
  if (other.model !== first.model) refuse('model', first.model.slice(0, 12), other.model.slice(0, 12))
  const difference = firstDifference(first.sample, other.sample, '')
  if (difference === null) return []
  const [key] = difference.split(' ')
  return [
    `${name} was measured on another sample than ${firstName} (${key} differs): compare no closer than their intervals.`,
  ]
}

/** What tells paths apart: without the folders that all of them begin and end with. @throws MonosemError config (the same directory twice) */
export function distinctNames(directories: readonly string[]): string[] {
  const paths = directories.map((directory) => resolve(directory).split('/'))
  const twice = directories.find(
    (_, i) => paths.findIndex((path) => path.join('/') === paths[i].join('/')) < i,
  )
  if (twice !== undefined)
    throw new MonosemError('config', `eval compare: expected different evaluations, got ${twice} twice`)
  const shortest = Math.min(...paths.map(({ length }) => length))
  const shared = (place: (path: string[], i: number) => string): number => {
    let count = 0
    while (count < shortest - 1 && paths.every((path) => place(path, count) === place(paths[0], count)))
      count++
    return count
  }
  const before = shared((path, i) => path[i])
  const after = shared((path, i) => path[path.length - 1 - i])
  const names = paths.map((path) => path.slice(before, path.length - after).join('/'))
  return names.every((name) => name !== '') ? names : paths.map((path) => path.slice(before).join('/'))
}

function frontierNames(evaluations: readonly ComparedEval[], figure: FrontierFigure): string[] {
  const points = evaluations.flatMap(({ name, report }) => {
    const value = report[figure]
    return value === null ? [] : [{ name, l0: report.l0, value }]
  })
  return frontierOf(points).map(({ name }) => name)
}
