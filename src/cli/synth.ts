import type { Command } from 'commander'
import { addSynthToy } from './synth-toy.js'

/** `monosem synth`: autoencoders on data whose true features are known */
export function addSynth(program: Command): void {
  const synth = program
    .command('synth')
    .description('ground truth: autoencoders on synthetic data whose features are known')
  addSynthToy(synth)
}
