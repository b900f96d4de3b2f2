import { render } from 'solid-js/web'
import { App } from './app'
import './theme.css'
import './styles/layout.css'
import './styles/text.css'
import './styles/controls.css'
import './styles/data.css'

render(() => <App />, document.getElementById('app') as HTMLElement)
