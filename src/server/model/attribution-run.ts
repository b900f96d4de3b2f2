import { attribute } from '../../attribution/attribute.js'
import type { Tokenizer } from '../../corpus/tokenizer.js'
import { MonosemError } from '../../errors/monosem-error.js'
import { segmentsOf } from '../../features/segments.js'
import { singleToken } from '../../model/logit-metric.js'
import type { FeatureName } from '../notes/notes-store.js'
import { shorter } from '../pages/example.js'
import type { Attribution, attributionRequestSchema } from '../protocol.js'
import type { LoadedModel } from './model-runner.js'
import { firstTokens } from './model-tokens.js'

/**
 * Which features act for a next token, as the app shows it.
 * @throws MonosemError config (the target is not one token)
 */
export async function runAttribution(
  loaded: LoadedModel,
  names: ReadonlyMap<number, FeatureName>,
  request: ReturnType<typeof attributionRequestSchema.parse>,
): Promise<Attribution> {
  const { model, sae, tokenizer } = loaded
  const target = tokenOf(tokenizer, request.target, 'target')
  const against = request.against === null ? null : tokenOf(tokenizer, request.against, 'against')
  const { tokens, truncated } = firstTokens(loaded, request.text)
  const found = await attribute(model, sae, tokens, {
    metric: { kind: against === null ? 'logit' : 'logit-difference', target, against },
    verify: request.verify,
  })
  const text = tokens.subarray(1)
  const segments = segmentsOf(text, new Float32Array(text.length), tokenizer)
  const segmentAt = Int32Array.from(text)
  for (const [i, { first, end }] of segments.entries()) segmentAt.fill(i, first, end)
  return {
    segments: segments.map(({ text: shown, first, end }) => ({
      text: shown,
      tokens: [...text.subarray(first, end)],
    })),
    truncated,
    target: { id: target, token: tokenizer.tokenText(target), probability: shorter(found.probability) },
    value: shorter(found.value),
    total: shorter(found.total),
    error: shorter(found.error),
    features: found.features.slice(0, request.top).map((one) => ({
      feature: one.feature,
      name: names.get(one.feature)?.name ?? null,
      // Position 0 is the start-of-text token, which no segment shows.
      segment: segmentAt[one.positions[0] - 1],
      activation: shorter(one.activation),
      gradientTimesActivation: shorter(one.gradientTimesActivation),
      direct: one.direct === null ? null : shorter(one.direct),
      ablation: one.ablation === null ? null : shorter(one.ablation),
    })),
  }
}

function tokenOf(tokenizer: Tokenizer, token: number | string, name: string): number {
  if (typeof token === 'string') return singleToken(tokenizer, token, name)
  if (token < tokenizer.vocabularySize) return token
  throw new MonosemError(
    'config',
    `${name}: expected a token from 0 to ${tokenizer.vocabularySize - 1}, got ${token}`,
  )
}
