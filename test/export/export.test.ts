import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { cantorPair, type TracerFeature } from '../../src/export/circuit-tracer.js'
import { exportConfigSchema } from '../../src/export/export-config.js'
import { openExportSource, shareBetween } from '../../src/export/export-source.js'
import { neuronpediaRows, type Row } from '../../src/export/neuronpedia.js'
import { renderDashboards } from '../../src/export/render-dashboards.js'
import { runExport } from '../../src/export/run-export.js'
import { dashboardFeature, readDashboards } from '../../src/export/saedashboard.js'
import { angledByte, escapedByte, tokenString } from '../../src/export/token-string.js'
import type { FeatureDetail } from '../../src/features/feature-store.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'
import { smallFeatures, smallRun, sparseArrays } from '../small-run.js'

const config = exportConfigSchema.parse({ modelId: 'tiny', sourceSet: 'test', batchFeatures: 3 })

// The keys that the dataclasses of SAEDashboard 0.8 and neuronpedia-utils have (dfa_* aside, which are left out where there is none).
const dashboardKeys =
  'feature_index neuron_alignment_indices neuron_alignment_values neuron_alignment_l1 correlated_neurons_indices correlated_neurons_l1 correlated_neurons_pearson correlated_features_indices correlated_features_l1 correlated_features_pearson neg_str neg_values pos_str pos_values frac_nonzero freq_hist_data_bar_values freq_hist_data_bar_heights logits_hist_data_bar_heights logits_hist_data_bar_values n_prompts_total n_tokens_in_prompt dataset decoder_weights_dist activations vector'
const dashboardActivationKeys = 'bin_min bin_max bin_contains tokens values qualifying_token_index'
const neuronKeys =
  'modelId layer index creatorId createdAt maxActApprox hasVector vector vectorLabel vectorDefaultSteerStrength hookName topkCosSimIndices topkCosSimValues neuron_alignment_indices neuron_alignment_values neuron_alignment_l1 correlated_neurons_indices correlated_neurons_pearson correlated_neurons_l1 correlated_features_indices correlated_features_pearson correlated_features_l1 neg_str neg_values pos_str pos_values frac_nonzero freq_hist_data_bar_heights freq_hist_data_bar_values logits_hist_data_bar_heights logits_hist_data_bar_values decoder_weights_dist sourceSetName'
const activationKeys =
  'id tokens index layer modelId maxValue maxValueTokenIndex minValue values creatorId dataSource dataIndex dfaValues dfaTargetIndex dfaMaxValue createdAt lossValues logitContributions binMin binMax binContains qualifyingTokenIndex'
const explanationKeys = 'id modelId layer index description authorId typeName explanationModelName notes'
const tracerKeys =
  'transcoder_id index examples_quantiles top_logits bottom_logits act_min act_max quantile_values histogram activation_frequency'

const sameKeys = (value: object, keys: string): void =>
  assert.deepEqual(Object.keys(value).sort(), keys.split(' ').sort())

test('exports of one run', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: sparseArrays() })
  const { features } = paths
  const source = await openExportSource(features, config)
  t.after(() => source.close())
  const details: FeatureDetail[] = []
  for await (const detail of source.details(source.features)) details.push(detail)

  await t.test('saedashboard: what was written is read back equal, in batches', async () => {
    const out = join(root, 'saedashboard')
    assert.deepEqual(await runExport('saedashboard', config, { features, out }), { features: smallFeatures })
    assert.deepEqual((await readdir(out)).sort(), ['batch-0.json', 'batch-1.json', 'batch-2.json'])
    const batches = await readDashboards(out)
    const read = batches.flatMap((batch) => batch.features)
    assert.deepEqual(
      read,
      details.map((detail) => dashboardFeature(detail, source)),
    )
    assert.deepEqual(
      batches.map(({ model_id, layer, sae_set, sae_id_suffix }) => ({
        model_id,
        layer,
        sae_set,
        sae_id_suffix,
      })),
      Array(3).fill({ model_id: 'tiny', layer: 0, sae_set: 'test', sae_id_suffix: null }),
    )
    assert.deepEqual(await readDashboards(join(out, 'batch-2.json')), [batches[2]])
    const raw = JSON.parse(await readFile(join(out, 'batch-0.json'), 'utf8')) as {
      features: { activations: object[] }[]
    }
    sameKeys(raw.features[0], dashboardKeys)
    sameKeys(raw.features[0].activations[0], dashboardActivationKeys)
    assert.match(renderDashboards(batches), /^8 features of test on layer 0 of tiny\n/)
  })

  await t.test('a dashboard holds the figures and examples of the store', async () => {
    const [detail] = details
    const feature = dashboardFeature(detail, source)
    assert.equal(
      feature.freq_hist_data_bar_heights.reduce((a, b) => a + b, 0),
      detail.fires,
    )
    assert.ok(
      Math.abs((feature.freq_hist_data_bar_values.at(-1) ?? 0) - detail.max) < detail.histogram.range / 32,
    )
    assert.equal(feature.n_tokens_in_prompt, 16)
    assert.ok(feature.n_prompts_total * 16 >= source.summary.tokens)
    assert.equal(feature.vector.length, 12)
    // the panels of the store, in the order of the store
    assert.deepEqual(
      feature.correlated_features_indices,
      detail.coActive.map((other) => other.feature),
    )
    assert.ok(feature.correlated_features_pearson.length > 0 && feature.correlated_neurons_pearson.length > 0)
    assert.equal(feature.neuron_alignment_values.length, detail.alignedNeurons.length)
    const [aligned] = feature.neuron_alignment_indices
    assert.ok(Math.abs(feature.neuron_alignment_values[0] - feature.vector[aligned]) < 1e-5)
    assert.equal(
      feature.logits_hist_data_bar_heights.reduce((a, b) => a + b, 0),
      source.tokenizer.vocabularySize,
    )
    const [top] = feature.activations
    assert.deepEqual([top.bin_min, top.bin_contains], [-1, -1])
    assert.ok(Math.abs(top.values[top.qualifying_token_index ?? -1] - detail.max) < 1e-5 * detail.max)
    assert.equal(top.tokens.length, top.values.length)
    const drawn = feature.activations.filter(({ bin_min }) => bin_min >= 0)
    assert.ok(drawn.length > 0)
    for (const { bin_min, bin_max, values, qualifying_token_index } of drawn) {
      const value = values[qualifying_token_index ?? -1]
      assert.ok(value > bin_min * 0.9999 && value <= bin_max * 1.0001)
    }
    const shares = [...new Map(drawn.map(({ bin_min, bin_contains }) => [bin_min, bin_contains])).values()]
    assert.ok(shares.every((share) => share > 0) && shares.reduce((a, b) => a + b) <= detail.density * 1.0001)
  })

  await t.test('a dead feature is there, with nothing made up', async () => {
    const dead = dashboardFeature(details[smallFeatures - 1], source)
    assert.equal(dead.frac_nonzero, 0)
    for (const list of ['activations', 'freq_hist_data_bar_heights', 'freq_hist_data_bar_values'] as const)
      assert.deepEqual(dead[list], [])
    assert.equal(dead.pos_str.length, 10)
  })

  await t.test('neuronpedia: directory, keys and rows', async () => {
    const out = join(root, 'neuronpedia')
    await runExport('neuronpedia', config, { features, out }, undefined, {
      explanations: new Map([[1, [{ feature: 1, text: 'greetings', explainer: 'anthropic:some-model' }]]]),
      neighbours: new Map([
        [
          1,
          [
            { feature: 4, cosine: 0.5 },
            { feature: 2, cosine: 0.25 },
          ],
        ],
      ]),
    })
    const base = join(out, 'tiny', '0-test')
    assert.deepEqual((await readdir(base)).sort(), [
      ...['activations', 'explanations', 'features'],
      ...['model.jsonl', 'release.jsonl', 'source.jsonl', 'sourceset.jsonl'],
    ])
    const rows = async (table: string): Promise<Row[]> => {
      const found: Row[] = []
      for (const name of (await readdir(join(base, table))).sort()) {
        assert.match(name, /^batch-\d\.jsonl\.gz$/)
        const text = gunzipSync(await readFile(join(base, table, name))).toString('utf8')
        for (const line of text.split('\n').filter(Boolean)) found.push(JSON.parse(line) as Row)
      }
      return found
    }
    const neurons = await rows('features')
    assert.deepEqual(
      neurons.map(({ index }) => index),
      source.features.map(String),
    )
    sameKeys(neurons[0], neuronKeys)
    assert.equal(neurons[0].layer, '0-test')
    assert.equal(neurons[0].hookName, 'blocks.0.mlp.hook_post')
    const near = neurons.map(({ topkCosSimIndices, topkCosSimValues }) => [
      topkCosSimIndices,
      topkCosSimValues,
    ])
    assert.deepEqual(near.slice(0, 2), [
      [[], []],
      [
        [4, 2],
        [0.5, 0.25],
      ],
    ])
    const activations = await rows('activations')
    sameKeys(activations[0], activationKeys)
    assert.equal(new Set(activations.map(({ id }) => id)).size, activations.length)
    const values = activations[0].values as number[]
    assert.equal(values[activations[0].maxValueTokenIndex as number], activations[0].maxValue)
    assert.ok(activations.every(({ index }) => index !== String(smallFeatures - 1)))
    const [explanation, ...others] = await rows('explanations')
    sameKeys(explanation, explanationKeys)
    assert.deepEqual(others, [])
    assert.deepEqual(
      [explanation.index, explanation.description, explanation.explanationModelName],
      ['1', 'greetings', 'some-model'],
    )
    const described = JSON.parse(await readFile(join(base, 'source.jsonl'), 'utf8')) as Row
    assert.deepEqual([described.id, described.modelId, described.setName], ['0-test', 'tiny', 'test'])
  })

  await t.test('without vectors none is claimed', async () => {
    const bare = await openExportSource(features, { ...config, vectors: false })
    t.after(() => bare.close())
    const { feature } = neuronpediaRows(details[0], bare, new Date(0))
    assert.deepEqual(
      [feature.hasVector, feature.vector, feature.vectorDefaultSteerStrength],
      [false, [], null],
    )
    assert.equal(feature.createdAt, '1970-01-01T00:00:00.000Z')
  })

  await t.test('circuit-tracer: one file per feature under its Cantor number, bytes escaped', async () => {
    const out = join(root, 'tracer')
    await runExport('circuit-tracer', { ...config, layer: 2, features: ['0', '5-7'] }, { features, out })
    const numbers = [0, 5, 6, 7].map((feature) => `${cantorPair(2, feature)}.json`)
    assert.deepEqual((await readdir(join(out, 'test'))).sort(), numbers.sort())
    const read = async (feature: number): Promise<TracerFeature> =>
      JSON.parse(await readFile(join(out, 'test', `${cantorPair(2, feature)}.json`), 'utf8')) as TracerFeature
    const feature = await read(0)
    sameKeys(feature, tracerKeys)
    assert.equal(feature.index, 0)
    const [top] = feature.examples_quantiles
    assert.equal(top.quantile_name, 'Top activations')
    sameKeys(top.examples[0], 'tokens tokens_acts_list train_token_ind is_repeated_datapoint')
    assert.equal(top.examples[0].tokens_acts_list[top.examples[0].train_token_ind], feature.act_max)
    const tokens = feature.examples_quantiles.flatMap(({ examples }) => examples.flatMap((e) => e.tokens))
    assert.ok(tokens.some((token) => /^\\x[0-9a-f]{2}$/.test(token)))
    assert.ok(tokens.every((token) => !token.includes('\ufffd')))
    const dead = await read(7)
    assert.deepEqual([dead.act_max, dead.activation_frequency, dead.histogram], [0, 0, []])
    assert.deepEqual(dead.examples_quantiles, [{ quantile_name: 'Top activations', examples: [] }])
  })

  await t.test('an export that fails or finds its directory there leaves everything as it was', async () => {
    const out = join(root, 'stopped')
    const controller = new AbortController()
    controller.abort()
    const progress = { start: () => ({ update: () => {}, end: () => {} }), note: () => {} }
    await assert.rejects(
      runExport('saedashboard', config, { features, out }, { progress, signal: controller.signal }),
      { code: 'interrupted' },
    )
    assert.ok(!existsSync(out) && !existsSync(`${out}.partial`))
    await runExport('saedashboard', config, { features, out })
    const before = await readFile(join(out, 'batch-0.json'), 'utf8')
    await assert.rejects(runExport('neuronpedia', config, { features, out }), {
      code: 'config',
      message: /is there already/,
    })
    assert.equal(await readFile(join(out, 'batch-0.json'), 'utf8'), before)
  })

  await t.test('files that are no dashboards are refused with file and field', async () => {
    await assert.rejects(readDashboards(root), { code: 'missing', message: /batch-0\.json/ })
    await assert.rejects(readDashboards(join(root, 'none')), { code: 'missing' })
    const path = join(root, 'bad.json')
    const refuses = async (content: string, message: RegExp): Promise<void> => {
      await writeFile(path, content)
      await assert.rejects(readDashboards(path), { code: 'format', message })
    }
    await refuses('{"model_id":', /bad\.json: expected JSON/)
    await refuses('[]', /bad\.json: top level: /)
    const good = await readFile(join(root, 'stopped', 'batch-0.json'), 'utf8')
    await refuses(
      good.replace('"frac_nonzero":0.', '"frac_nonzero":"0.').replace(/("frac_nonzero":"[\d.]+)/, '$1"'),
      /features\.0\.frac_nonzero: .*number/,
    )
  })
})

test('tokens are their characters, and bytes of a character that is spread over tokens are spelt out', () => {
  const tokenizer = pieceTokenizer([[0x61, 0x0a], [0xd8], [0xd8, 0xa7, 0x20, 0xd9], [0xef, 0xbf, 0xbd]])
  assert.equal(tokenString(1, tokenizer, angledByte), 'a\n')
  assert.equal(tokenString(2, tokenizer, angledByte), '⟨d8⟩')
  assert.equal(tokenString(3, tokenizer, angledByte), 'ا ⟨d9⟩')
  assert.equal(tokenString(3, tokenizer, escapedByte), 'ا \\xd9')
  // the replacement character itself is a character
  assert.equal(tokenString(4, tokenizer, angledByte), '\ufffd')
})

test('the share of an interval is read off the histogram, by hand', () => {
  const detail = { histogram: { range: 4, counts: [6, 2, 0, 2] }, density: 0.1, fires: 10 } as FeatureDetail
  assert.equal(shareBetween(detail, 0, 4), 0.1)
  assert.equal(shareBetween(detail, 0.5, 2), 0.05)
})

test('Cantor numbers are the ones of the pairing function', () => {
  assert.deepEqual([cantorPair(0, 0), cantorPair(1, 0), cantorPair(0, 1), cantorPair(3, 5)], [0, 1, 2, 41])
})
