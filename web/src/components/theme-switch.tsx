import { createSignal } from 'solid-js'

const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

const stored = (): Theme => {
  const value = localStorage.getItem('monosem-theme')
  return themes.find((theme) => theme === value) ?? 'system'
}

/** theme.css reads the attribute; without it the system's choice holds. */
function show(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

show(stored())

/** Light, dark, or as the system has it; remembered. */
export function ThemeSwitch() {
  const [theme, setTheme] = createSignal(stored())
  const choose = (value: Theme) => {
    localStorage.setItem('monosem-theme', value)
    setTheme(value)
    show(value)
  }
  return (
    <select
      class="theme"
      aria-label="Theme"
      value={theme()}
      onChange={(event) => choose(event.currentTarget.value as Theme)}
    >
      {themes.map((value) => (
        <option value={value}>{value}</option>
      ))}
    </select>
  )
}
