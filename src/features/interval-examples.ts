import type { TokenSplit } from '../corpus/corpus.js'
import { type ActivationHistograms, histogramBins } from './activation-histogram.js'
import { type ContextShape, contextRange, sameTokens } from './context.js'
import {
  type CodedStretch,
  createExampleSlots,
  type Example,
  type ExampleSlots,
  fillSlot,
  readSlot,
} from './example-slots.js'

/** Bins of the histogram that share one sample. */
const binsPerSample = 8

export const sampleBins = histogramBins / binsPerSample

/**
 * A uniform random sample of each feature's activations in each of 32 linear bins over its range. Every
 * activation has a random priority, and a bin keeps the few with the smallest; so bins can be merged exactly
 * when the range doubles, and the result depends on neither the order nor the batch size.
 */
export interface IntervalSamples {
  /** most examples a bin keeps */
  capacity: number
  shape: ContextShape
  key: number
  /** [F] number of each feature for the random draw, where only some of an autoencoder's are looked at; default its place */
  ids?: Int32Array
  /** [F, sampleBins] how many a bin has */
  count: Int32Array
  /** [F, sampleBins] a full bin's largest priority, else 2^32 - 1: what a newcomer has to beat */
  threshold: Uint32Array
  /** [F, sampleBins, capacity] slots of each bin */
  order: Int32Array
  /** per slot */
  priority: Uint32Array
  slots: ExampleSlots
}

/** Memory is features * 32 * capacity * (before + 1 + after + 6) * 4 bytes. @param key 32 random bits */
export function createIntervalSamples(
  features: number,
  capacity: number,
  shape: ContextShape,
  key: number,
): IntervalSamples {
  const slots = features * sampleBins * capacity
  return {
    capacity,
    shape,
    key,
    count: new Int32Array(features * sampleBins),
    threshold: new Uint32Array(features * sampleBins).fill(0xffffffff),
    order: Int32Array.from({ length: slots }, (_, i) => i),
    priority: new Uint32Array(slots),
    slots: createExampleSlots(slots, shape.before + 1 + shape.after),
  }
}

/**
 * A random 32-bit number that belongs to one feature on one token: murmur3's finaliser over key, token and
 * feature.
 */
export function priorityOf(key: number, feature: number, token: number): number {
  let h = mix(key ^ Math.imul(token, 0x9e3779b1))
  h = mix(h ^ Math.imul(feature, 0x85ebca77))
  return h >>> 0
}

function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Offers an activation (of a feature, on a token of the split) to its bin. @param bin of the histogram */
export function offerSample(
  samples: IntervalSamples,
  split: TokenSplit,
  feature: number,
  activation: number,
  token: number,
  bin: number,
  stretch: CodedStretch,
): void {
  const { capacity, count, order, priority } = samples
  const place = feature * sampleBins + Math.floor(bin / binsPerSample)
  const drawn = priorityOf(samples.key, samples.ids?.[feature] ?? feature, token)
  if (drawn >= samples.threshold[place] || capacity === 0) return
  const base = place * capacity
  let at = count[place]
  if (at < capacity) count[place]++
  else for (at = 0; priority[order[base + at]] !== samples.threshold[place]; ) at++
  const slot = order[base + at]
  priority[slot] = drawn
  const range = contextRange(split, samples.shape, token)
  fillSlot(samples.slots, slot, { feature, token, activation, range }, stretch)
  setThreshold(samples, place)
}

function setThreshold(samples: IntervalSamples, place: number): void {
  const { capacity, count, order, priority } = samples
  let largest = 0xffffffff
  if (count[place] === capacity) {
    largest = 0
    for (let i = 0; i < capacity; i++) largest = Math.max(largest, priority[order[place * capacity + i]])
  }
  samples.threshold[place] = largest
}

/** Merges each pair of a feature's bins, when its range doubles: of both the smallest priorities stay. */
export function mergeSampleBins(samples: IntervalSamples, feature: number): void {
  const { capacity, count, order, priority } = samples
  const base = feature * sampleBins * capacity
  const bins: number[][] = []
  const free: number[] = []
  for (let b = 0; b < sampleBins; b++) {
    const slots = Array.from(order.subarray(base + b * capacity, base + (b + 1) * capacity))
    const used = count[feature * sampleBins + b]
    free.push(...slots.splice(used))
    bins.push(slots)
  }
  for (let b = 0; b < sampleBins; b++) {
    const place = feature * sampleBins + b
    const both = [...(bins[2 * b] ?? []), ...(bins[2 * b + 1] ?? [])].sort(
      (x, y) => priority[x] - priority[y],
    )
    free.push(...both.splice(capacity))
    count[place] = both.length
    bins[b] = both
  }
  for (let b = 0; b < sampleBins; b++) {
    const slots = bins[b]
    for (let i = 0; i < capacity; i++)
      order[base + b * capacity + i] = i < slots.length ? slots[i] : (free.pop() as number)
    setThreshold(samples, feature * sampleBins + b)
  }
}

/** One drawn example and the interval that it stands for. */
export interface IntervalExample {
  /** 0 is the lowest: interval i of n covers (i, i + 1] * max / n */
  interval: number
  example: Example
}

/**
 * Draws a feature's examples for each of n equal intervals of (0, max], highest interval first, within one by
 * activation. A bin stands for all its activations, so its samples are drawn with weight (activations in the
 * bin) / (samples kept): a random draw from all activations of the interval (Efraimidis and Spirakis 2006),
 * as far as the bins' samples reach. Contexts in `taken` are left out.
 */
export function drawIntervalExamples(
  samples: IntervalSamples,
  split: TokenSplit,
  histograms: ActivationHistograms,
  feature: number,
  options: {
    max: number
    intervals: number
    perInterval: number
    taken: readonly Example[]
    /** a say of the caller in which examples are taken; default all */
    accept?: (example: Example, interval: number) => boolean
  },
): IntervalExample[] {
  const { max, intervals, perInterval } = options
  const drawn: IntervalExample[] = []
  const candidates = weightedCandidates(samples, histograms, feature)
  const taken = options.taken.map((example) => example.range)
  for (let interval = intervals - 1; interval >= 0; interval--) {
    const chosen: Example[] = []
    for (const { slot } of candidates) {
      if (chosen.length === perInterval) break
      const activation = samples.slots.activation[slot]
      if (Math.max(0, Math.ceil((activation / max) * intervals) - 1) !== interval) continue
      const example = readSlot(samples.slots, slot)
      if (taken.some((range) => sameTokens(split, range, example.range))) continue
      if (options.accept && !options.accept(example, interval)) continue
      taken.push(example.range)
      chosen.push(example)
    }
    chosen.sort((a, b) => b.activation - a.activation || a.token - b.token)
    drawn.push(...chosen.map((example) => ({ interval, example })))
  }
  return drawn
}

/** All samples of a feature in the order of a weighted random draw. */
function weightedCandidates(
  samples: IntervalSamples,
  histograms: ActivationHistograms,
  feature: number,
): { slot: number; rank: number }[] {
  const candidates: { slot: number; rank: number }[] = []
  const id = samples.ids?.[feature] ?? feature
  for (let b = 0; b < sampleBins; b++) {
    const place = feature * sampleBins + b
    const held = samples.count[place]
    const base = feature * histogramBins + binsPerSample * b
    let active = 0
    for (let bin = base; bin < base + binsPerSample; bin++) active += histograms.counts[bin]
    const weight = active / held
    for (let i = 0; i < held; i++) {
      const slot = samples.order[place * samples.capacity + i]
      // Another key than the one that decided who stays: those who stayed have small priorities.
      const uniform = (priorityOf(~samples.key, id, samples.slots.token[slot]) + 0.5) / 4294967296
      candidates.push({ slot, rank: -Math.log(uniform) / weight })
    }
  }
  return candidates.sort((a, b) => a.rank - b.rank)
}
