import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { createProgram } from '../src/cli/program.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** Documents that show commands besides the README. */
const guides = ['docs/cluster.md', 'docs/scale.md'].map((name) => readFileSync(join(root, name), 'utf8'))

/** The fenced blocks of one language, of the README or of another text. */
const blocks = (language: string, text: string = readme): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)\\n\`\`\`$`, 'gms'))].map(([, body]) => body!)

/** The words of a command line, as a POSIX shell splits them (quotes only). */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)

test('every TypeScript block of the README is a file in examples/, and every example is named in the README', () => {
  const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'))
  const texts = examples.map((name) => readFileSync(join(root, 'examples', name), 'utf8').trimEnd())
  for (const block of blocks('ts')) assert.ok(texts.includes(block), block.split('\n')[0])
  for (const name of examples) assert.ok(readme.includes(`(examples/${name})`), name)
})

/** What mpirun or srun starts, where a line begins with one of them. */
const started = (line: string): string => line.replace(/^(mpirun|srun) .*?(?=monosem )/, '')

test('every shell line of the README is a monosem command, or an npm script that exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const line of blocks('sh').flatMap((block) => block.split('\n')))
    for (const command of line.split('&&').map((part) => part.replace(/ #.*/, '').trim())) {
      const [program, verb, script] = words(started(command))
      if (program === 'monosem') continue
      assert.equal(program, 'npm', command)
      assert.ok(['ci', 'test'].includes(verb!) || (verb === 'run' && script! in scripts), command)
    }
})

/** The program with every action replaced by one that only says that it was reached. */
function parseOnly(args: readonly string[]): string | null {
  let reached: string | null = null
  const program = createProgram('0.0.0')
  const replace = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => {} })
    // `monosem eval` does something itself, and has a command below it.
    const acts = command.commands.length === 0 || (command.parent && command.options.length > 0)
    if (acts)
      command.action(() => {
        reached = command.name()
      })
    command.commands.forEach(replace)
  }
  replace(program)
  program.parse(args, { from: 'user' })
  return reached
}

/** Every command line that the README, the guides and the help pages show. */
function shownCommands(): string[] {
  const lines = [readme, ...guides]
    .flatMap((text) => blocks('sh', text))
    .flatMap((block) => block.split('\n').map(started))
  const helps = (command: Command): string[] => {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    return [
      ...[...help.matchAll(/^ {2}\$ (.*)$/gm)].map(([, line]) => line!),
      ...command.commands.flatMap(helps),
    ]
  }
  return [...lines, ...helps(createProgram('0.0.0'))].filter((line) => line.startsWith('monosem '))
}

test('every shell line of the guides is a monosem command, alone or on several ranks, or an npm command', () => {
  for (const line of guides.flatMap((text) => blocks('sh', text)).flatMap((block) => block.split('\n')))
    assert.match(started(line), /^(monosem|npm (ci|link|run build:mpi)$)/, line)
})

test('every monosem command that the README, the guides and the help pages show is understood', () => {
  const shown = shownCommands()
  assert.ok(shown.length > 15, `${shown.length} commands`)
  for (const line of shown) assert.ok(parseOnly(words(line).slice(1)), line)
})

test('every command has help with a description and an example', () => {
  const check = (command: Command): void => {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    assert.ok(command.description().length > 10, command.name())
    if (command.commands.length === 0) assert.match(help, /\nExample:\n {2}\$ monosem /, command.name())
    for (const option of command.options)
      assert.ok(option.description.length > 3, `${command.name()} ${option.flags}`)
    command.commands.forEach(check)
  }
  check(createProgram('0.0.0'))
})

test('the example that trains an autoencoder finds the true directions', async () => {
  const path = join(dirname(fileURLToPath(import.meta.url)), '..', 'examples', 'train-sae.js')
  const { stdout } = await promisify(execFile)(process.execPath, [path], { cwd: root })
  const [, found, all] = /^(\d+) of (\d+) true directions found/.exec(stdout) ?? []
  assert.ok(Number(found) >= 0.9 * Number(all), stdout)
})

test('the files that the documents point to exist', async () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'CHANGELOG.md']
  for (const document of [...documents, 'docs/cluster.md', 'docs/scale.md']) {
    const text = await readFile(join(root, document), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      await assert.doesNotReject(readFile(join(root, dirname(document), target!)), `${document}: ${target}`)
  }
})
