import type { Command } from 'commander'
import { addCompareUniversality } from './compare-universality.js'

/** `monosem compare` */
export function addCompare(program: Command): void {
  const compare = program
    .command('compare')
    .description('autoencoders held against one another: dictionaries of two models')
  addCompareUniversality(compare)
}
