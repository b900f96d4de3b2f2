import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { SteerEvent, SteerRequest } from '../../../../src/server/protocol'
import { respond, sending } from '../../api'

/** Events of a steered run as they come. Aborting the signal ends the run on the server too. @throws ApiError; AbortError */
export async function* streamSteer(
  run: string,
  request: SteerRequest,
  signal: AbortSignal,
): AsyncGenerator<SteerEvent> {
  const { body } = await respond(`/runs/${run}/steer`, sending('POST', request, signal))
  if (!body) return
  const messages = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  for (;;) {
    const { done, value } = await messages.read()
    if (done) return
    if (value.data !== '') yield JSON.parse(value.data) as SteerEvent
  }
}
