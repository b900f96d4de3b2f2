export default function Page() {
  return <h1>Map</h1>
}
