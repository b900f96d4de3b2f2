import { createStore } from 'solid-js/store'

/*
 * Edits that are not saved yet. They outlive the panel, so that a look at another feature loses nothing; leaving the app asks first.
 */

/** What the user has typed; both fields, empty for none. */
export interface Draft {
  label: string
  note: string
}

const [drafts, setDrafts] = createStore<Record<string, Draft | undefined>>({})

const keyOf = (run: string, feature: number): string => `${run}/${feature}`

/** What was typed and not saved; undefined: nothing. Tracked. */
export const draftOf = (run: string, feature: number): Draft | undefined => drafts[keyOf(run, feature)]

/** Keeps an edit; undefined forgets it. */
export function keepDraft(run: string, feature: number, draft: Draft | undefined): void {
  setDrafts(keyOf(run, feature), draft && { ...draft })
  if (Object.values(drafts).some((kept) => kept !== undefined)) addEventListener('beforeunload', ask)
  else removeEventListener('beforeunload', ask)
}

const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
