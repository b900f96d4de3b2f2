export default function Page() {
  return <h1>Feature</h1>
}
