import { For } from 'solid-js'
import { chooseTheme, chosenTheme, type Theme, themes } from '../theme'

/** Light, dark, or as the system has it; remembered. */
export function ThemeSwitch() {
  return (
    <select
      class="theme"
      aria-label="Theme"
      value={chosenTheme()}
      onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}
    >
      <For each={themes}>{(theme) => <option value={theme}>{theme}</option>}</For>
    </select>
  )
}
