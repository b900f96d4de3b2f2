import { useNavigate } from '@solidjs/router'
import { address } from '../../runs'
import { GoDialog, KeysDialog, useKeys } from './keys'
import type { ListAddress } from './place'

export interface ListKeysProps {
  run: string
  /** of the run */
  features: number
  /** rows of the list */
  total: number
  place: ListAddress
  /** which feature stands at a place, as far as it is known */
  featureAt: (index: number) => number | undefined
  grid: () => HTMLElement | undefined
  search: () => HTMLElement | undefined
  /** hands out what opens the help */
  help: (open: () => void) => void
}

/** Rows that a page key passes. */
const page = 10

/** The keys of the list, and the dialogs that they open. */
export function ListKeys(props: ListKeysProps) {
  const navigate = useNavigate()
  let keysDialog: HTMLDialogElement | undefined
  let goDialog: HTMLDialogElement | undefined
  props.help(() => keysDialog?.showModal())
  const open = (): void => {
    const at = props.place.selected()
    const feature = props.featureAt(at)
    if (feature === undefined) return
    props.place.leave(at)
    navigate(props.place.href(feature, at))
  }
  const to = (index: number) => () => {
    props.grid()?.focus({ preventScroll: true })
    props.place.select(Math.max(0, Math.min(props.total - 1, index)))
  }
  const by = (rows: number) => to(props.place.selected() + rows)
  useKeys(({ target }) => ({
    j: by(1),
    k: by(-1),
    '/': () => props.search()?.focus(),
    g: () => goDialog?.showModal(),
    '?': () => keysDialog?.showModal(),
    // These keys belong to what is focused, where that is not the list.
    ...((target === props.grid() || target === document.body) && {
      ArrowDown: by(1),
      ArrowUp: by(-1),
      PageDown: by(page),
      PageUp: by(-page),
      Home: to(0),
      End: to(props.total - 1),
      Enter: open,
    }),
  }))
  return (
    <>
      <KeysDialog
        ref={(dialog) => {
          keysDialog = dialog
        }}
      />
      <GoDialog
        features={props.features}
        onGo={(feature) => navigate(address.feature(props.run, feature))}
        ref={(dialog) => {
          goDialog = dialog
        }}
      />
    </>
  )
}
