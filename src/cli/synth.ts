import type { Command } from 'commander'
import { addSynthSweep } from './synth-sweep.js'
import { addSynthTable } from './synth-table.js'
import { addSynthToy } from './synth-toy.js'
import { addSynthTrain } from './synth-train.js'

/** `monosem synth`: autoencoders on data whose true features are known */
export function addSynth(program: Command): void {
  const synth = program
    .command('synth')
    .description('ground truth: autoencoders on synthetic data whose features are known')
  addSynthTrain(synth)
  addSynthSweep(synth)
  addSynthTable(synth)
  addSynthToy(synth)
}
