import { For, Show } from 'solid-js'
import type { Example, FeaturePage, Partner, Relatives } from '../../../../src/server/protocol'
import { ReadOut } from '../../components/read-out'
import { Tokens, visibleToken } from '../../components/tokens'
import { withMinus } from './figures'
import type { Loaded } from './load'
import { cutExample } from './shown-examples'
import type { View } from './view'

/** The feature of another model that is most like this one, with the texts of both side by side. */
export function PartnersPanel(props: { page: FeaturePage; relatives: Loaded<Relatives>; view: View }) {
  const partners = () => props.relatives.value()?.partners ?? []
  const without = () => props.relatives.value()?.withoutPartner ?? []
  return (
    <Show when={partners().length + without().length > 0}>
      <section class="panel stack" aria-labelledby="partners">
        <h2 id="partners">In other models</h2>
        <For each={partners()}>
          {(partner) => <PartnerView partner={partner} page={props.page} view={props.view} />}
        </For>
        <For each={without()}>
          {(name) => (
            <p class="quiet">
              {name}: it was not compared, because it fired too seldom, or nothing was like it.
            </p>
          )}
        </For>
      </section>
    </Show>
  )
}

function PartnerView(props: { partner: Partner; page: FeaturePage; view: View }) {
  return (
    <div class="stack partner">
      <p>
        Feature <strong class="number">{props.partner.feature}</strong> of <code>{props.partner.other}</code>
        {props.partner.mutual ? ', which has this one as its partner in turn' : ''}: {facts(props.partner)}.
      </p>
      <Show
        when={props.partner.missing === null}
        fallback={<Missing command={props.partner.missing ?? ''} />}
      >
        <ReadOut label="Texts of both features; arrow keys move over the tokens">
          <div class="side-by-side">
            <Texts
              title={`This model, feature ${props.page.feature}`}
              tokens={props.page.tokens.slice(0, 8).map(({ token }) => token)}
              max={props.page.max}
              examples={props.page.examples.filter(({ interval }) => interval === null)}
              view={props.view}
            />
            <Texts
              title={`The other model, feature ${props.partner.feature}`}
              tokens={props.partner.tokens}
              max={props.partner.max}
              examples={props.partner.examples}
              view={props.view}
            />
          </div>
        </ReadOut>
      </Show>
    </div>
  )
}

const Missing = (props: { command: string }) => (
  <p class="quiet">
    Its texts are not there. Make them: <code>{props.command}</code>
  </p>
)

function facts({ correlation, heldOut, logitSimilarity, byLogits, feature }: Partner): string {
  const held = heldOut === null ? '' : ` (${withMinus(heldOut)} on text that did not choose it)`
  const logits = logitSimilarity === null ? '' : `, logit weights ${withMinus(logitSimilarity)}`
  const other =
    byLogits === null
      ? ''
      : byLogits.feature === feature
        ? '; by logit weights it is the partner too'
        : `; by logit weights the partner is ${byLogits.feature} (${withMinus(byLogits.similarity)})`
  return `activations correlate with ${withMinus(correlation)}${held}${logits}${other}`
}

/** Texts shown on each side. */
const mostTexts = 5

function Texts(props: {
  title: string
  tokens: readonly string[]
  max: number
  examples: readonly Example[]
  view: View
}) {
  return (
    <div>
      <h3>{props.title}</h3>
      <p class="small">
        <For each={props.tokens}>
          {(token, i) => (
            <>
              {i() > 0 ? ' ' : ''}
              <bdi class="mono size-token">{visibleToken(token)}</bdi>
            </>
          )}
        </For>
      </p>
      <ul class="example-list">
        <For each={props.examples.slice(0, mostTexts)}>
          {(example) => {
            const shown = cutExample(example, 'medium')
            return (
              <li class="partner-text">
                <Tokens
                  segments={shown.segments}
                  activations={shown.activations}
                  focus={shown.focus}
                  cut={{ before: shown.cutBefore, after: shown.cutAfter }}
                  max={props.max}
                  lines={props.view.get('lines') === 'shown'}
                  readOut
                />
              </li>
            )
          }}
        </For>
      </ul>
    </div>
  )
}
