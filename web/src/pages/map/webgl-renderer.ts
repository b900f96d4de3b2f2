import { drawingOrder, type Frame, markOpacities, markSizes, type Renderer, type Scene } from './scene'

const vertexSource = `#version 300 es
layout(location = 0) in vec2 place;
layout(location = 1) in uint colour;
layout(location = 2) in uint mark;
uniform vec3 placement;
uniform vec2 size;
uniform float diameter;
uniform float ratio;
uniform sampler2D palette;
uniform float markSizes[4];
uniform float markOpacities[4];
flat out vec4 fill;
flat out float radius;
flat out float ringed;
void main() {
  vec2 at = (placement.xy + placement.z * place) / size;
  gl_Position = vec4(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0);
  float drawn = diameter * markSizes[mark] + (mark > 1u ? 3.0 : 0.0);
  radius = 0.5 * drawn * ratio;
  gl_PointSize = 2.0 * radius + 1.0;
  ringed = mark > 1u ? 1.0 : 0.0;
  fill = texelFetch(palette, ivec2(int(colour), 0), 0);
  fill.a *= markOpacities[mark];
}`

// Colours leave premultiplied by their opacity, as the page expects them.
const fragmentSource = `#version 300 es
precision highp float;
flat in vec4 fill;
flat in float radius;
flat in float ringed;
uniform vec4 ring;
uniform float ratio;
out vec4 pixel;
void main() {
  float away = length(gl_PointCoord - 0.5) * (2.0 * radius + 1.0);
  float cover = clamp(radius + 0.5 - away, 0.0, 1.0);
  if (cover <= 0.0) discard;
  float edge = ringed * clamp(away - (radius - 1.5 * ratio) + 0.5, 0.0, 1.0);
  vec4 colour = mix(fill, ring, edge);
  float opacity = colour.a * cover;
  pixel = vec4(colour.rgb * opacity, opacity);
}`

function compile(gl: WebGL2RenderingContext, type: number, source: string): WebGLShader {
  const shader = gl.createShader(type)
  if (!shader) throw new Error('WebGL gave no shader')
  gl.shaderSource(shader, source)
  gl.compileShader(shader)
  return shader
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram()
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, vertexSource))
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, fragmentSource))
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`WebGL program: ${gl.getProgramInfoLog(program)}`)
  return program
}

/** Buffers, texture and program of one context, gone when the context is lost. */
function setUp(gl: WebGL2RenderingContext) {
  const program = link(gl)
  const buffers = { places: gl.createBuffer(), colours: gl.createBuffer(), marks: gl.createBuffer() }
  const order = gl.createBuffer()
  gl.bindVertexArray(gl.createVertexArray())
  for (const location of [0, 1, 2]) gl.enableVertexAttribArray(location)
  gl.bindBuffer(gl.ARRAY_BUFFER, buffers.places)
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0)
  gl.bindBuffer(gl.ARRAY_BUFFER, buffers.colours)
  gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_BYTE, 0, 0)
  gl.bindBuffer(gl.ARRAY_BUFFER, buffers.marks)
  gl.vertexAttribIPointer(2, 1, gl.UNSIGNED_BYTE, 0, 0)
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order)
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST)
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST)
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  gl.clearColor(0, 0, 0, 0)
  gl.useProgram(program)
  const at = (name: string) => gl.getUniformLocation(program, name)
  gl.uniform1fv(at('markSizes'), markSizes)
  gl.uniform1fv(at('markOpacities'), markOpacities)
  const uniforms = {
    placement: at('placement'),
    size: at('size'),
    diameter: at('diameter'),
    ratio: at('ratio'),
    ring: at('ring'),
  }
  return { buffers, uniforms }
}

type Parts = ReturnType<typeof setUp>

function send(gl: WebGL2RenderingContext, { buffers, uniforms }: Parts, scene: Scene, before: Scene | null) {
  for (const name of ['places', 'colours', 'marks'] as const) {
    if (before?.[name] === scene[name]) continue
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name])
    gl.bufferData(gl.ARRAY_BUFFER, scene[name], gl.DYNAMIC_DRAW)
  }
  if (before?.marks !== scene.marks)
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, drawingOrder(scene.marks), gl.DYNAMIC_DRAW)
  if (before?.palette !== scene.palette)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, scene.palette)
  gl.uniform4fv(
    uniforms.ring,
    scene.ring.map((part) => part / 255),
  )
}

function drawPoints(gl: WebGL2RenderingContext, { uniforms }: Parts, frame: Frame, points: number): void {
  const { placement, size, ratio, diameter } = frame
  gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight)
  gl.clear(gl.COLOR_BUFFER_BIT)
  gl.uniform3f(uniforms.placement, placement.x, placement.y, placement.scale)
  gl.uniform2f(uniforms.size, size.width, size.height)
  gl.uniform1f(uniforms.diameter, diameter)
  gl.uniform1f(uniforms.ratio, ratio)
  const drawn = Math.min(frame.most, points)
  // Those that stand out are the last ones.
  gl.drawElements(gl.POINTS, drawn, gl.UNSIGNED_INT, 4 * (points - drawn))
}

/**
 * All points in one draw call.
 * @param onRestored called when a lost context came back and must be drawn again
 * @returns null where there is no WebGL 2
 */
export function createWebglRenderer(canvas: HTMLCanvasElement, onRestored: () => void): Renderer | null {
  const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, depth: false })
  if (!gl) return null
  let parts: Parts | null = setUp(gl)
  let scene: Scene | null = null
  const lost = (event: Event) => {
    event.preventDefault()
    parts = null
  }
  const restored = () => {
    parts = setUp(gl)
    if (scene) send(gl, parts, scene, null)
    onRestored()
  }
  canvas.addEventListener('webglcontextlost', lost)
  canvas.addEventListener('webglcontextrestored', restored)
  return {
    kind: 'webgl2',
    setScene(next) {
      if (parts) send(gl, parts, next, scene)
      scene = next
    },
    draw(frame) {
      if (parts && scene) drawPoints(gl, parts, frame, scene.marks.length)
    },
    close() {
      canvas.removeEventListener('webglcontextlost', lost)
      canvas.removeEventListener('webglcontextrestored', restored)
      gl.getExtension('WEBGL_lose_context')?.loseContext()
    },
  }
}
