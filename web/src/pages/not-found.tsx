import { A } from '@solidjs/router'

/** For addresses that nothing is at. */
export default function NotFound() {
  return (
    <section class="panel">
      <h1>Nothing is here</h1>
      <p>
        This address belongs to no page. <A href="/">Back to the start</A>
      </p>
    </section>
  )
}
