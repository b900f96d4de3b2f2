import { render } from 'solid-js/web'
import { App } from './app'
import './theme.css'

render(() => <App />, document.getElementById('app') as HTMLElement)
