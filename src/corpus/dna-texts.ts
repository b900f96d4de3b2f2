import type { Random } from '../random/random.js'

const BASES = 'ACGT'

/** One organism's way of writing: probabilities of the next base after the last three, and stretches that it repeats. */
interface Genome {
  name: string
  /** cumulative probabilities of A, C, G after each of the 64 contexts, [64][3] */
  next: number[][]
  motifs: string[]
}

const ORGANISMS = [
  'Homo sapiens',
  'Mus musculus',
  'Drosophila melanogaster',
  'Saccharomyces cerevisiae',
  'Escherichia coli',
  'Arabidopsis thaliana',
  'Danio rerio',
  'Bacillus subtilis',
  'Caenorhabditis elegans',
  'Zea mays',
  'Plasmodium falciparum',
  'Xenopus laevis',
]

/** Signals found in real genes: start and stop, TATA box, poly-A, Kozak, Shine-Dalgarno, restriction sites, telomere. */
const SIGNALS = [
  'ATG',
  'TAA',
  'TATAAA',
  'AATAAA',
  'GCCACCATG',
  'AGGAGG',
  'GAATTC',
  'GGATCC',
  'AAGCTT',
  'TTAGGGTTAGGG',
  'CAAT',
  'GTAAGT',
]

/**
 * A writer of documents with DNA sequences: FASTA, bare lines, tables of primers and prose that quotes sequences. Sequences
 * come from an order-3 Markov chain per organism with recurring motifs, so that a model can predict some of it.
 */
export function createDnaWriter(random: Random): () => string {
  const genomes = ORGANISMS.map((name) => createGenome(name, random))
  const forms = [fasta, fasta, fasta, bareLines, primerTable, notes]
  return () => random.pick(forms)(random.pick(genomes), random)
}

function createGenome(name: string, random: Random): Genome {
  const gc = 0.3 + 0.4 * random.uniform()
  const base = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
  const next = Array.from({ length: 64 }, () => {
    const weights = base.map((p) => p * Math.exp(0.9 * random.normal()))
    const total = weights.reduce((a, b) => a + b, 0)
    let sum = 0
    return weights.slice(0, 3).map((weight) => {
      sum += weight / total
      return sum
    })
  })
  const genome: Genome = { name, next, motifs: [] }
  genome.motifs = Array.from({ length: 24 }, () => sequence(genome, 12 + random.int(50), random))
  return genome
}

/** [length] bases. */
function sequence(genome: Genome, length: number, random: Random): string {
  let out = ''
  let context = random.int(64)
  while (out.length < length) {
    if (genome.motifs.length > 0 && random.int(40) === 0) {
      out += random.int(2) ? random.pick(genome.motifs) : random.pick(SIGNALS)
      continue
    }
    const u = random.uniform()
    const [a, c, g] = genome.next[context] as [number, number, number]
    const base = u < a ? 0 : u < c ? 1 : u < g ? 2 : 3
    out += BASES[base]
    context = ((context << 2) | base) & 63
  }
  return out.slice(0, length)
}

const wrap = (text: string, width: number): string =>
  text.match(new RegExp(`.{1,${width}}`, 'g'))?.join('\n') ?? ''

const accession = (random: Random): string =>
  `${random.pick(['NM', 'NC', 'XM', 'NR', 'AB', 'KY'])}_${String(random.int(1e6)).padStart(6, '0')}.${1 + random.int(4)}`

const geneName = (random: Random): string =>
  `${random.pick(['BRC', 'TP', 'MYC', 'HOX', 'PAX', 'SOX', 'RPL', 'ACT', 'GAP', 'CYC', 'KRT', 'COL'])}${random.pick(['A', 'B', 'C', ''])}${1 + random.int(40)}`

function fasta(genome: Genome, random: Random): string {
  const width = random.pick([60, 70, 80])
  const records = Array.from({ length: 1 + random.int(4) }, () => {
    const what = random.pick([
      'mRNA',
      'complete cds',
      'partial cds',
      'genomic DNA',
      'exon 2',
      'promoter region',
    ])
    return `>${accession(random)} ${genome.name} ${geneName(random)}, ${what}\n${wrap(sequence(genome, 200 + random.int(900), random), width)}`
  })
  return `${records.join('\n')}\n`
}

function bareLines(genome: Genome, random: Random): string {
  return `${wrap(sequence(genome, 500 + random.int(2000), random), random.pick([60, 70, 80]))}\n`
}

function primerTable(genome: Genome, random: Random): string {
  const separator = random.pick(['\t', ',', ' | '])
  const rows = Array.from({ length: 10 + random.int(25) }, () =>
    [
      geneName(random),
      sequence(genome, 18 + random.int(8), random),
      sequence(genome, 18 + random.int(8), random),
      `${80 + random.int(900)} bp`,
    ].join(separator),
  )
  return `${['gene', 'forward primer', 'reverse primer', 'product'].join(separator)}\n${rows.join('\n')}\n`
}

/** Prose around sequences. */
function notes(genome: Genome, random: Random): string {
  const quote = () => sequence(genome, 12 + random.int(28), random)
  const frames = [
    () => `The primer 5'-${quote()}-3' binds upstream of ${geneName(random)} in ${genome.name}.`,
    () =>
      `We found the repeat ${quote()} ${2 + random.int(30)} times in the promoter of ${geneName(random)}.`,
    () => `A deletion changes ${quote()} to ${quote()} and shifts the reading frame.`,
    () =>
      `The guide RNA targets ${quote()}, which lies in exon ${1 + random.int(12)} of ${geneName(random)}.`,
    () =>
      `Sequencing confirmed the insert:\n\n${wrap(sequence(genome, 120 + random.int(300), random), 60)}\n`,
    () => `No off-target site was found for ${quote()} in ${genome.name}.`,
    () => `The sample was amplified for ${20 + random.int(20)} cycles at ${50 + random.int(15)} degrees.`,
  ]
  return `# ${geneName(random)} in ${genome.name}\n\n${Array.from({ length: 6 + random.int(10) }, () => random.pick(frames)()).join('\n')}\n`
}
