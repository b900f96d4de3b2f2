import { Command } from 'commander'
import { addFlags } from '../config/flags.js'
import { addActivations } from './activations.js'
import { addAttribute } from './attribute.js'
import { addBaselines } from './baselines.js'
import { addBench } from './bench-comm.js'
import { addCaseStudies } from './case-studies.js'
import { addCompare } from './compare.js'
import { addCorpus } from './corpus.js'
import { addDemo } from './demo.js'
import { addEval } from './eval.js'
import { addExplain } from './explain.js'
import { addExport } from './export.js'
import { addFeatures } from './features.js'
import { globalSchema } from './global-options.js'
import { addModel } from './model.js'
import { addProbe } from './probe.js'
import { addSae } from './sae.js'
import { addScaling } from './scaling.js'
import { addServe } from './serve.js'
import { addInfluence, addSteer } from './steer.js'
import { addSynth } from './synth.js'

/**
 * The whole command line: every command with its flags and help, ready to parse.
 * @param asJson mistakes in the options are reported as JSON
 * @param rank only rank 0 reports them here
 */
export function createProgram(version: string, asJson = false, rank = 0): Command {
  const program = new Command('monosem')
    .description('Takes a language model apart into features with sparse autoencoders.')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .configureHelp({ showGlobalOptions: true, helpWidth: process.stdout.columns ?? 100 })
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => rank === 0 && write(asJson ? errorJson(text) : text) })
    .addHelpText('after', '\nExample:\n  $ monosem demo --quick --out runs/quick')
  addFlags(program, globalSchema)
  const stages = [
    addDemo,
    addCorpus,
    addModel,
    addActivations,
    addSae,
    addEval,
    addBaselines,
    addFeatures,
    addCaseStudies,
    addExplain,
    addSynth,
  ]
  const uses = [
    addCompare,
    addScaling,
    addServe,
    addSteer,
    addInfluence,
    addAttribute,
    addProbe,
    addExport,
    addBench,
  ]
  for (const add of [...stages, ...uses]) add(program)
  return program
}

const errorJson = (text: string): string =>
  `${JSON.stringify({ error: { code: 'config', message: text.trim().replace(/^error: /, '') } })}\n`
