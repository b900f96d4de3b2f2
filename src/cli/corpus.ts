import type { Command } from 'commander'
import { addFlags, givenFlags, readFlags } from '../config/flags.js'
import { kebabCase } from '../config/parse-config.js'
import { corpusConfigSchema } from '../corpus/corpus-config.js'
import { runCorpusStage } from '../corpus/corpus-stage.js'
import { MonosemError } from '../errors/monosem-error.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem corpus build` */
export function addCorpus(program: Command): void {
  const corpus = program.command('corpus').description('text: the built-in corpus, or your own files')
  const build = addCommand(
    corpus,
    'build',
    {
      description:
        'Train a tokenizer on text, or take that of a model, and store the text as tokens, split by document for training and validation.',
      example: "monosem corpus build --text 'notes/**/*.md' --vocabulary-size 2048 --out runs/notes/corpus",
      ranks: true,
    },
    async (session, command) => {
      const { out } = readPaths(command, [], 'corpus')
      refuseTraining(command)
      const { offline } = command.opts<{ offline?: boolean }>()
      const context = { ...session.context, ...(offline && { offline }) }
      const result = await runCorpusStage(readFlags(command, corpusConfigSchema), { out }, context)
      const statistics = await readStageJson<Record<string, Json>>(result.directory, 'corpus', 'corpus.json')
      return {
        json: { ...result, ...statistics },
        text: `${madeOrReused(result)}\n${renderJson(statistics)}`,
      }
    },
  )
  addFlags(addPaths(build, [], 'corpus'), corpusConfigSchema)
  build.option('--offline', 'take what the cache of the hub has and never ask the network')
}

/** Options of the training of a tokenizer say nothing about one that is there. @throws MonosemError config */
function refuseTraining(command: Command): void {
  const given = givenFlags(command, corpusConfigSchema)
  const training = ['vocabularySize', 'tokenizerSampleMb'].find((name) => name in given)
  if (given.tokenizer !== undefined && training !== undefined)
    throw new MonosemError(
      'config',
      `--${kebabCase(training)} is for training a tokenizer, but --tokenizer names one`,
      {
        hint: 'leave one of the two out',
      },
    )
  if (given.tokenizer === undefined && given.revision !== undefined)
    throw new MonosemError(
      'config',
      '--revision is of the repository that --tokenizer names, which is not given',
    )
}
