import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

// Relative addresses, so that the static export works in any folder of any file server; the server adds <base href="/">.
export default defineConfig({
  base: './',
  plugins: [solid()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index.html', 'login.html'].map((name) => fileURLToPath(new URL(name, import.meta.url))),
    },
    assetsInlineLimit: 0,
  },
  // `npx vite web` shows changes at once, with the data of a `monosem serve` on its usual port.
  server: { proxy: { '/api': 'http://127.0.0.1:4100' } },
})
