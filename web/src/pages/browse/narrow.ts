import { createRoot, createSignal } from 'solid-js'

/** Whether rows are stacked rather than in columns; the same width as in browse.css. */
export const narrow = createRoot(() => {
  const media = matchMedia('(max-width: 899px)')
  const [matches, setMatches] = createSignal(media.matches)
  media.addEventListener('change', () => setMatches(media.matches))
  return matches
})
