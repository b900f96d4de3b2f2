/** Cross hairs: show on the map. */
export const TargetIcon = () => (
  <svg class="map-icon" viewBox="0 0 16 16" aria-hidden="true">
    <circle cx="8" cy="8" r="4.5" />
    <path d="M8 0.5v5M8 10.5v5M0.5 8h5M10.5 8h5" />
  </svg>
)

/** A ticked box: select. */
export const SelectIcon = () => (
  <svg class="map-icon" viewBox="0 0 16 16" aria-hidden="true">
    <rect x="2" y="2" width="12" height="12" rx="2" />
    <path d="M5 8.2l2.2 2.3L11.4 5.6" />
  </svg>
)
