export default function Page() {
  return <h1>Steer lab</h1>
}
