import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { decodeText } from '../corpus/reader.js'
import { linesOf, parseJson } from '../corpus/readers.js'
import { readColumns } from '../corpus/table-reader.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { ProbeConfig } from './probe-config.js'

/** Texts and their classes. */
export interface LabelledTexts {
  texts: string[]
  /** [texts] index into `classes` */
  labels: Int32Array
  /** names, in the order of their characters' code units */
  classes: string[]
  /** texts left out because the same text came before, and those of them that had another class then */
  repeated: number
  contradicting: number
}

/** One entry of a file of labelled texts. */
interface Entry {
  text: string
  label: string
  /** file and line or row */
  place: string
}

/**
 * Reads labelled texts from .jsonl, .csv, .csv.gz or .parquet. Labels may be text, whole numbers or truth values. A text that is
 * there twice is taken once, so that none is fitted on and tested on.
 * @throws MonosemError missing (file or field), format (a bad line, an empty text or label: names the line), config (one class
 * only, or a class with fewer texts than folds)
 */
export async function readLabelledTexts(path: string, config: ProbeConfig): Promise<LabelledTexts> {
  if (!existsSync(path))
    throw new MonosemError('missing', `--data ${path}: no such file`, { hint: 'check the path' })
  const lower = path.toLowerCase()
  const isTable = ['.csv', '.csv.gz', '.parquet'].some((ending) => lower.endsWith(ending))
  if (!isTable && !lower.endsWith('.jsonl'))
    throw new MonosemError('config', `--data ${path}: expected a .jsonl, .csv, .csv.gz or .parquet file`)
  const seen = new Map<string, string>()
  let [repeated, contradicting] = [0, 0]
  for await (const { text, label } of isTable ? tableEntries(path, config) : jsonEntries(path, config)) {
    const before = seen.get(text)
    if (before === undefined) seen.set(text, label)
    else repeated++
    if (before !== undefined && before !== label) contradicting++
  }
  const classes = [...new Set(seen.values())].sort()
  requireClasses(path, [...seen.values()], classes, config)
  const number = new Map(classes.map((name, i) => [name, i]))
  const labels = Int32Array.from(seen.values(), (label) => number.get(label) as number)
  return { texts: [...seen.keys()], labels, classes, repeated, contradicting }
}

async function* tableEntries(path: string, config: ProbeConfig): AsyncGenerator<Entry> {
  const name = basename(path)
  const bad = (_: string, error: MonosemError): never => {
    throw advised(error)
  }
  const columns = [{ name: config.textField }, { name: config.labelField, anyType: true }]
  for await (const { cells, place } of readColumns({ path, name, bad }, columns))
    yield checked(config, `${name}, row ${place}`, cells[0], cells[1])
}

async function* jsonEntries(path: string, config: ProbeConfig): AsyncGenerator<Entry> {
  const name = basename(path)
  let line = 0
  try {
    for await (const bytes of linesOf(path)) {
      const place = `${name}:${++line}`
      const text = decodeText(bytes, place)
      if (text.trim() === '') continue
      const value = parseJson(text, place)
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new MonosemError('format', `${place}: expected an object, got ${text.trim().slice(0, 40)}`)
      const fields = value as Record<string, unknown>
      yield checked(
        config,
        place,
        fieldOf(fields, config.textField, place),
        fieldOf(fields, config.labelField, place),
      )
    }
  } catch (error) {
    throw error instanceof MonosemError ? advised(error) : error
  }
}

function fieldOf(fields: Record<string, unknown>, name: string, place: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name]
  const found = Object.keys(fields).slice(0, 20).join(', ') || 'none'
  throw new MonosemError('missing', `${place}: expected field ${JSON.stringify(name)}, found: ${found}`)
}

/** The readers' advice is about corpora; here nothing is skipped. */
function advised(error: MonosemError): MonosemError {
  const hint =
    error.code === 'missing'
      ? 'choose the fields with --text-field and --label-field'
      : 'mend or remove it: labelled texts are used whole or not at all'
  return new MonosemError(error.code, error.message, { hint, cause: error.cause })
}

function checked(config: ProbeConfig, place: string, text: unknown, label: unknown): Entry {
  const refuse = (field: string, expected: string, got: unknown): never => {
    const shown = JSON.stringify(got)?.slice(0, 40)
    throw advised(
      new MonosemError(
        'format',
        `${place}: expected field ${JSON.stringify(field)} to be ${expected}, got ${shown}`,
      ),
    )
  }
  if (typeof text !== 'string' || text.trim() === '')
    return refuse(config.textField, 'text that is not empty', text)
  const plain = ['string', 'number', 'boolean'].includes(typeof label)
  if (!plain || String(label).trim() === '') return refuse(config.labelField, 'a class', label)
  return { text, label: String(label), place }
}

function requireClasses(
  path: string,
  labels: readonly string[],
  classes: readonly string[],
  { folds, labelField }: ProbeConfig,
): void {
  if (classes.length < 2)
    throw new MonosemError(
      'config',
      `${path}: expected texts of at least two classes, got ${classes.length === 0 ? 'no texts' : `only ${JSON.stringify(classes[0])}`}`,
      { hint: `is ${JSON.stringify(labelField)} the field with the class? choose it with --label-field` },
    )
  for (const name of classes) {
    const count = labels.filter((label) => label === name).length
    if (count < folds)
      throw new MonosemError(
        'config',
        `${path}: expected at least ${folds} texts of each class for ${folds} folds, got ${count} of ${JSON.stringify(name)}`,
        { hint: 'add texts, choose fewer --folds, or use another field if the label is no class' },
      )
  }
}
