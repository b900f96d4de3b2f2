export default function Page() {
  return <h1>Features</h1>
}
