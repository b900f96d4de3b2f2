import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { z } from 'zod'
import { fieldsOf } from '../../src/config/fields.js'
import { addFlags, readFlags, readSettings } from '../../src/config/flags.js'
import { kebabCase, parseConfig } from '../../src/config/parse-config.js'

const schema = z.object({
  batchSize: z.number().int().min(1).default(4096).describe('activations per step, tokens'),
  l1Coefficient: z.number().min(0).default(1e-3).describe('weight of the sparsity term'),
  architecture: z.enum(['relu', 'topk']).default('relu').describe('how pre-activations become activations'),
  text: z.array(z.string()).default([]).describe('globs'),
  quantiles: z.array(z.number()).default([0.5, 0.9]).describe('quantiles'),
  skipBad: z.boolean().default(false).describe('skip lines that cannot be read'),
  shuffle: z.boolean().default(true).describe('shuffle the documents'),
  field: z.string().describe('field that holds the text').default('text'),
})

const parse = (...args: string[]): z.infer<typeof schema> => {
  const command = addFlags(new Command('toy').exitOverride().configureOutput({ writeErr: () => {} }), schema)
  command.parse(args, { from: 'user' })
  return readFlags(command, schema)
}

test('without flags every field has its default', () => {
  assert.deepEqual(parse(), {
    batchSize: 4096,
    l1Coefficient: 1e-3,
    architecture: 'relu',
    text: [],
    quantiles: [0.5, 0.9],
    skipBad: false,
    shuffle: true,
    field: 'text',
  })
})

test('thousands, millions and billions may be written k, M and B', () => {
  for (const [text, value] of [
    ['20M', 20_000_000],
    ['20_000_000', 20_000_000],
    ['2e7', 20_000_000],
    ['1.5k', 1500],
    ['0.3M', 300_000],
    ['1B', 1e9],
  ] as const)
    assert.equal(parse('--batch-size', text).batchSize, value, text)
  for (const text of ['20m', '20MB', 'M', '1 k'])
    assert.throws(() => parse('--batch-size', text), { code: 'config', message: /--batch-size/ }, text)
})

test('each kind of flag is converted to its type', () => {
  const config = parse(
    ...[
      '--batch-size',
      '8_192',
      '--l1-coefficient',
      '5e-2',
      '--architecture',
      'topk',
      '--text',
      'a/*.md',
      'b',
    ],
    ...['--quantiles', '.25', '1', '--skip-bad', '--no-shuffle', '--field', '7'],
  )
  assert.deepEqual(config, {
    batchSize: 8192,
    l1Coefficient: 0.05,
    architecture: 'topk',
    text: ['a/*.md', 'b'],
    quantiles: [0.25, 1],
    skipBad: true,
    shuffle: false,
    field: '7',
  })
})

test('a boolean can be turned on and off, whatever its default', () => {
  assert.equal(parse('--shuffle').shuffle, true)
  assert.equal(parse('--no-skip-bad').skipBad, false)
})

test('only flags that were given override the base', () => {
  const command = addFlags(new Command('toy'), schema).parse(['--batch-size', '2'], { from: 'user' })
  const config = readFlags(command, schema, { batchSize: 1, architecture: 'topk', shuffle: false })
  assert.equal(config.batchSize, 2)
  assert.equal(config.architecture, 'topk')
  assert.equal(config.shuffle, false)
})

test('a bad value is refused with the flag, what was expected and what came', () => {
  const refuses = (args: string[], message: RegExp): void =>
    assert.throws(() => parse(...args), { name: 'MonosemError', code: 'config', message })
  refuses(['--batch-size', 'abc'], /^--batch-size: expected a number, got "abc"$/)
  refuses(['--batch-size', '1.5'], /^--batch-size: expected a whole number, got 1.5$/)
  refuses(['--batch-size', '0'], /^--batch-size: expected number to be >=1, got 0$/)
  refuses(['--batch-size', ''], /^--batch-size: expected a number, got ""$/)
  refuses(['--l1-coefficient', '-1'], /^--l1-coefficient: expected number to be >=0, got -1$/)
  refuses(['--l1-coefficient', 'Infinity'], /^--l1-coefficient: expected a number, got "Infinity"$/)
  refuses(['--quantiles', '0.5', 'x'], /^--quantiles: expected a number, got "x"$/)
})

test('a value outside of the choices is refused by the parser, which lists them', () => {
  assert.throws(() => parse('--architecture', 'gated'), {
    code: 'commander.invalidArgument',
    message: /relu, topk/,
  })
})

test('all bad values are reported at once', () => {
  assert.throws(
    () => parse('--batch-size', '0', '--l1-coefficient', '-1'),
    /--batch-size.*; --l1-coefficient/,
  )
})

test('help shows the meaning, the unit and the default of each flag, and one line for a boolean', () => {
  const help = addFlags(new Command('toy'), schema).helpInformation()
  const compact = help.replaceAll(/\s+/g, ' ')
  assert.match(compact, /--batch-size <number> activations per step, tokens \(default: 4096\)/)
  assert.match(compact, /--architecture <text> .*\(choices: "relu", "topk"\)/)
  assert.match(compact, /--no-shuffle turn off: shuffle the documents/)
  assert.match(compact, /--field <text> field that holds the text \(default: text\)/)
  assert.doesNotMatch(compact, / --shuffle|--no-skip-bad/)
})

test('an optional field has a flag, and no value without it', () => {
  const optional = z.strictObject({
    features: z.number().int().optional().describe('how many (default: it depends)'),
  })
  const read = (...args: string[]) =>
    readFlags(addFlags(new Command('toy'), optional).parse(args, { from: 'user' }), optional)
  assert.deepEqual(read(), {})
  assert.deepEqual(read('--features', '64'), { features: 64 })
  const help = addFlags(new Command('toy'), optional).helpInformation()
  assert.match(help, /--features <number> +how many \(default: it depends\)/)
})

test('a field that is skipped gets no flag', () => {
  const help = addFlags(new Command('toy'), schema, { skip: ['text'] }).helpInformation()
  assert.doesNotMatch(help, /--text/)
})

test('parseConfig refuses unknown keys', () => {
  assert.throws(() => parseConfig(schema, { batchsize: 3 }), {
    code: 'config',
    message: 'expected a known option, got "batchsize"',
  })
})

test('settings are checked against the schema of their stage', () => {
  const schemas = { sae: schema }
  assert.deepEqual(
    readSettings(
      ['sae.batchSize=64', 'sae.shuffle=false', 'sae.text=a,b=c', 'sae.architecture=topk'],
      schemas,
    ),
    { sae: { batchSize: 64, shuffle: false, text: ['a', 'b=c'], architecture: 'topk' } },
  )
  const refuses = (setting: string, message: RegExp, hint: RegExp): void =>
    assert.throws(() => readSettings([setting], schemas), { code: 'config', message, hint })
  refuses('batchSize=64', /expected stage.option=value, got "batchSize=64"/, /--set sae.features/)
  refuses('sae.size=64', /sae.size is not an option/, /options of sae: batchSize, /)
  refuses('mlp.size=64', /mlp.size is not an option/, /stages: sae/)
})

test('a schema that flags cannot hold is a programming error', () => {
  assert.throws(() => fieldsOf(z.object({ nested: z.object({}) })), TypeError)
})

test('kebabCase writes camelCase as flags are written', () => {
  assert.deepEqual(['dModel', 'l1Coefficient', 'k'].map(kebabCase), ['d-model', 'l1-coefficient', 'k'])
})
