export default function Page() {
  return <h1>API</h1>
}
