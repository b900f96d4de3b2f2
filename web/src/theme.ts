import { createRoot, createSignal } from 'solid-js'

/** What may be chosen. */
export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const key = 'monosem-theme'
const systemIsDark = matchMedia('(prefers-color-scheme: dark)')

const stored = (): Theme => {
  const value = localStorage.getItem(key)
  return themes.find((theme) => theme === value) ?? 'system'
}

const { chosen, setChosen, dark, setDark } = createRoot(() => {
  const [chosen, setChosen] = createSignal(stored())
  const [dark, setDark] = createSignal(systemIsDark.matches)
  return { chosen, setChosen, dark, setDark }
})

/** The choice: light, dark, or as the system has it. */
export const chosenTheme = chosen

/** What is shown. Scripts that draw on a canvas read it to draw again when it changes. */
export const shownTheme = (): 'light' | 'dark' => {
  const theme = chosen()
  return theme === 'system' ? (dark() ? 'dark' : 'light') : theme
}

const apply = (): void => {
  document.documentElement.dataset.theme = shownTheme()
}
apply()
systemIsDark.addEventListener('change', ({ matches }) => {
  setDark(matches)
  apply()
})

/** Shows a theme and remembers it. */
export function chooseTheme(theme: Theme): void {
  localStorage.setItem(key, theme)
  setChosen(theme)
  apply()
}

/** A colour of theme.css by its name, without `--`; read inside an effect it follows the theme. */
export function colour(name: string): string {
  const theme = shownTheme()
  document.documentElement.dataset.theme = theme
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
