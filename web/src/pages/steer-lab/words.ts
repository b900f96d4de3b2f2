import type { SteerRun } from './steer-run'

/** One line on how far a run is. It changes when the phase does, not with each token, so that it can be read out. */
export function describeRun({ phase, ahead }: SteerRun): string {
  if (phase === 'waiting') return 'Asking the server …'
  if (phase === 'queued')
    return ahead === 0
      ? 'Next in the queue …'
      : `In the queue: ${ahead} ${ahead === 1 ? 'run' : 'runs'} before this one …`
  if (phase === 'writing') return 'Writing … (Escape stops)'
  if (phase === 'done') return 'Done.'
  if (phase === 'stopped') return 'Stopped.'
  if (phase === 'failed') return 'The run failed.'
  return 'Choose features and press Run.'
}

/** Differences of loss below this are not worth a word, nats. */
const noticeable = 0.1

/** In plain words what the two judgements say. */
export function judgementSentence({ unsteered, steered }: NonNullable<SteerRun['judgements']>): string {
  const general =
    'The harder the steering, the less a text is like the model’s own: its loss under the unsteered model rises, and so does the KL divergence, which says how far steering bends each prediction.'
  if (unsteered.loss === null || steered.loss === null) return general
  const difference = steered.loss - unsteered.loss
  if (Math.abs(difference) < noticeable)
    return `The unsteered model finds both texts about equally likely. ${general}`
  const times = Math.exp(Math.abs(difference))
  const factor = times >= 100 ? 'over a hundred' : times.toFixed(times < 10 ? 1 : 0)
  return `The unsteered model finds each token of the steered text ${factor} times ${
    difference > 0 ? 'less' : 'more'
  } likely than one of its own. ${general}`
}
