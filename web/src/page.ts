import { createEffect, onCleanup, onMount } from 'solid-js'

/** The first page of a visit is read from its top by itself. */
let visited = false

/**
 * What every page does when it is opened: names the window, and moves the focus to its main heading, so that those who do not see the page change are
 * told. The heading may come later, with the page's code or data.
 * @param title parts of the window's title, the most special first
 */
export function usePage(title: () => readonly (string | undefined)[]): void {
  createEffect(() => {
    document.title = [...title().filter((part) => part), 'Monosem'].join(' · ')
  })
  onMount(() => {
    if (visited) onCleanup(focusHeading())
    visited = true
  })
}

/** Focuses the heading as soon as it is there, unless the reader is already busy on the page; @returns stops waiting */
function focusHeading(): () => void {
  const main = document.getElementById('main')
  if (main === null) return () => {}
  const observer = new MutationObserver(() => found())
  const found = (): boolean => {
    const heading = main.querySelector('h1')
    if (heading === null) return false
    observer.disconnect()
    if (main === document.activeElement || !main.contains(document.activeElement)) {
      heading.tabIndex = -1
      heading.focus({ preventScroll: true })
    }
    return true
  }
  if (!found()) observer.observe(main, { childList: true, subtree: true })
  return () => observer.disconnect()
}
