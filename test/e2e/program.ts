import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Random } from '../../src/random/random.js'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export interface Finished {
  /** null after a signal */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Running {
  /** sends a signal as soon as a condition holds; false when the program ended before */
  signalWhen(condition: (stderr: string) => boolean, signal: NodeJS.Signals): Promise<boolean>
  /** resolves when standard output matches, or with null when the program ended without */
  printed(pattern: RegExp): Promise<RegExpExecArray | null>
  finished: Promise<Finished>
}

/** Starts the built program as a user would. */
export function start(args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}): Running {
  const { npm_lifecycle_event: _, ...inherited } = process.env
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...inherited, ...environment } })
  let [stdout, stderr, ended] = ['', '', false]
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const finished = once(child, 'close').then(([code, signal]) => {
    ended = true
    return { code, signal, stdout, stderr }
  })
  return {
    finished,
    async printed(pattern) {
      while (!ended && !pattern.test(stdout)) await setTimeout(2)
      return pattern.exec(stdout)
    },
    async signalWhen(condition, signal) {
      while (!ended && !condition(stderr)) await setTimeout(2)
      return !ended && child.kill(signal)
    },
  }
}

/** Runs the program to its end. */
export const run = (
  args: readonly string[],
  cwd: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<Finished> => start(args, cwd, environment).finished

/** The words of a command line without quotes. */
export const words = (text: string): string[] => text.split(' ')

/** Runs the program, which has to succeed. @returns what it prints */
export async function output(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(args, cwd)
  assert.equal(code, 0, stderr)
  return stdout
}

/** Makes a corpus of `writeTexts` and a small model that has read it: `corpus` and `model` in the run directory. */
export async function makeModel(cwd: string, directory: string, validationFraction = 0.2): Promise<void> {
  await writeTexts(join(cwd, 'texts'))
  const corpus = `--text texts/*.md --vocabulary-size 320 --validation-fraction ${validationFraction}`
  await output(words(`corpus build ${corpus} --out ${directory}/corpus`), cwd)
  const sizes = '--d-model 16 --heads 2 --d-mlp 32 --context 32 --batch-size 8'
  await output(words(`model train --run ${directory} --train-tokens 3000 --eval-tokens 500 ${sizes}`), cwd)
}

const nouns = ['river', 'stone', 'letter', 'garden', 'engine', 'window', 'teacher', 'number']
const verbs = ['holds', 'finds', 'carries', 'opens', 'follows', 'counts']

/** Writes a few files of simple sentences, with Arabic words and strings of DNA in some of them. */
export async function writeTexts(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const random = Random.named(1, 'texts')
  const sentence = (): string => `The ${random.pick(nouns)} ${random.pick(verbs)} the ${random.pick(nouns)}. `
  const dna = (): string =>
    `${Array.from({ length: 40 }, () => random.pick(['A', 'C', 'G', 'T'])).join('')}\n`
  const arabic = (): string =>
    `${random.pick(['الكتاب على الطاولة', 'السماء زرقاء اليوم', 'الولد في المدرسة'])}\n`
  for (let file = 0; file < 60; file++) {
    const more = [dna, arabic, () => '\n'][file % 3]!
    const text = Array.from({ length: 10 }, () => sentence() + more()).join('')
    await writeFile(join(directory, `${file}.md`), text)
  }
}

/** Options that make every stage of the demo small: the whole run takes seconds. */
export const tiny = [
  ...['--text', 'texts/*.md', '--features', '64', '--l1-coefficient', '0.5', '--set'],
  ...['corpus.vocabularySize=320', 'corpus.tokenizerSampleMb=0.1', 'corpus.validationFraction=0.2'],
  ...['model.dModel=16', 'model.heads=2', 'model.dMlp=32', 'model.context=32', 'model.batchSize=8'],
  ...['model.trainTokens=12000', 'model.warmupSteps=5', 'model.evalTokens=1000'],
  ...['model.checkpointEverySeconds=0', 'sae.checkpointEverySeconds=0'],
  ...['sae.trainTokens=12000', 'sae.batchSize=256', 'sae.bufferTokens=2048', 'sae.initTokens=512'],
  ...['sae.measureTokens=1024', 'sae.resampleTokens=512', 'sae.deadAfterTokens=2048', 'sae.modelBatch=8'],
  ...['eval.tokens=1000', 'eval.meanTokens=500', 'features.tokens=2000', 'case-studies.tokens=2000'],
  'case-studies.minPositives=20',
]
