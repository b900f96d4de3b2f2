import type { Command } from 'commander'
import { addCompareSplitting } from './compare-splitting.js'
import { addCompareUniversality } from './compare-universality.js'

/** `monosem compare` */
export function addCompare(program: Command): void {
  const compare = program
    .command('compare')
    .description('autoencoders held against one another: sizes of one dictionary, dictionaries of two models')
  addCompareSplitting(compare)
  addCompareUniversality(compare)
}
