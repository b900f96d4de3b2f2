import { MonosemError } from '../errors/monosem-error.js'
import type { ArchitectureDefaults } from './architectures/architecture.js'
import { architectures } from './architectures/index.js'
import { isTranscoder, type ResolvedSaeConfig, type SaeConfig, saeConfigSchema } from './sae-config.js'

/** Defaults of what an architecture may have its own opinion on. */
const common: Required<ArchitectureDefaults> = {
  l1Coefficient: 3.5,
  l0Coefficient: 1,
  bandwidth: 0.1,
  initialThreshold: 0.1,
  gradientClip: 0,
  sparsityWarmupFraction: 0.05,
  deadFeatures: 'none',
}

/**
 * Fills in what was not asked for, from what was: the defaults of the architecture for activations of width d, and what fields are
 * short for. The result is what config.json of the stage holds, and resolves to itself.
 * @throws MonosemError config: an option that makes no sense beside another one
 */
export function resolveSaeConfig(config: SaeConfig, d: number): ResolvedSaeConfig {
  const { expansion, ...given } = config
  const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const features = featuresOf(config, d)
  const resolved = inOrder({
    ...common,
    ...architectures[config.architecture].defaults(d),
    ...(config.freezeDecoder && deadFeaturesOfFrozen(config)),
    targetHookName: config.hookName,
    initialK: config.k,
    decayFraction: config.learningRateSchedule === 'cosine' ? 1 - config.warmupFraction : 0.2,
    streamSeed: config.seed,
    ...(asked as typeof given),
    features,
    prefixes: prefixCounts(config.prefixes ?? [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], features),
  })
  check(resolved)
  return resolved
}

/** The fields in the order of the schema: whoever compares two configurations meets the architecture first. */
function inOrder(config: ResolvedSaeConfig): ResolvedSaeConfig {
  const names = Object.keys(saeConfigSchema.shape) as (keyof SaeConfig)[]
  const entries = names.flatMap((name) => (name === 'expansion' ? [] : [[name, config[name]]]))
  return Object.fromEntries(entries) as ResolvedSaeConfig
}

function featuresOf({ features, expansion }: SaeConfig, d: number): number {
  if (features !== undefined && expansion !== undefined)
    throw new MonosemError(
      'config',
      `sae: expected features or expansion, got both: ${features} and ${expansion}`,
      { hint: 'leave one of them out' },
    )
  return expansion === undefined ? (features ?? 4096) : Math.round(expansion * d)
}

/** Ends of the nested prefixes, ascending, the last one F. Numbers up to 1 are shares of the features. */
function prefixCounts(prefixes: readonly number[], features: number): number[] {
  const shares = prefixes.every((prefix) => prefix <= 1)
  const counts = prefixes.map((prefix) => (shares ? Math.max(1, Math.round(prefix * features)) : prefix))
  const wrong = counts.find((count) => !Number.isInteger(count) || count > features)
  if (wrong !== undefined)
    throw new MonosemError(
      'config',
      `sae: expected prefixes that are shares, or whole numbers up to ${features}, got ${prefixes.join(' ')}`,
      { hint: 'for example --prefixes 0.0625 0.125 0.25 0.5 1' },
    )
  return [...new Set([...counts, features])].sort((a, b) => a - b)
}

/** Resampling gives dead features new decoder rows, so a frozen decoder goes without. */
function deadFeaturesOfFrozen({ architecture }: SaeConfig): Pick<ResolvedSaeConfig, 'deadFeatures'> {
  return { deadFeatures: byCount.has(architecture) ? 'auxk' : 'none' }
}

const byCount = new Set<string>(['topk', 'batchtopk', 'matryoshka'])

function check(config: ResolvedSaeConfig): void {
  const { architecture, k, initialK, features, deadFeatures } = config
  if (byCount.has(architecture) && k > features)
    throw new MonosemError(
      'config',
      `sae: expected k of at most ${features}, the number of features, got ${k}`,
      {
        hint: 'lower --k or raise --features',
      },
    )
  if (byCount.has(architecture) && (initialK < k || initialK > features))
    throw new MonosemError(
      'config',
      `sae: expected initialK from ${k}, which is k, to ${features}, the number of features, got ${initialK}`,
      { hint: 'leave --initial-k out to keep k features active from the start' },
    )
  if (deadFeatures === 'auxk' && !byCount.has(architecture))
    throw new MonosemError(
      'config',
      `sae: expected dead features of ${architecture} to be resampled or left alone, got auxk`,
      {
        hint: 'auxk needs positive pre-activations that are not used: topk, batchtopk and matryoshka have them',
      },
    )
  if (config.freezeDecoder && deadFeatures === 'resample')
    throw new MonosemError(
      'config',
      'sae: expected dead features of a frozen decoder to be left alone or trained by auxk, got resample',
      { hint: 'resampling would write to the decoder: leave --dead-features out' },
    )
  if (config.skip && !isTranscoder(config))
    throw new MonosemError('config', 'sae: expected a transcoder for skip, got an autoencoder', {
      hint: 'a linear connection could copy the input: name another hook point with --target-hook-name',
    })
}
