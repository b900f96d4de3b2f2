export default function Page() {
  return <h1>Text lab</h1>
}
