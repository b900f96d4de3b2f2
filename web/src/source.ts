import './site/unserved.css'

/** Whether these pages were exported: then all data are files beside them, and there is no model. */
export const isExport = document.querySelector('meta[name="monosem-export"]') !== null
