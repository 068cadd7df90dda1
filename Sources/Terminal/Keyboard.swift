import CTerminal
import Grid

/// Everything that can be read now, in the decoder's terms. At most 65 536 things, so that a paste
/// without end cannot hold the screen up.
func drainInput() -> [KeyInput] {
    var input: [KeyInput] = []
    while input.count < 65_536 {
        let code = ct_read_key()
        if code == Int32(CT_NOTHING) { break }
        input.append(keyInput(code: code))
    }
    return input
}

private func keyInput(code: Int32) -> KeyInput {
    if let byte = UInt8(exactly: code) { return .byte(byte) }
    let number = Int(code)
    if number == CT_KEY_MOUSE { return mouseInput() }
    if (1...12).contains(number - CT_KEY_FUNCTION) {
        return .key(.function(number - CT_KEY_FUNCTION))
    }
    return namedKeys[number].map { .key($0) } ?? .unknown
}

private func mouseInput() -> KeyInput {
    let event = ct_mouse_event()
    if event < 0 { return .unknown }
    let wheel = event & 0xFFFF
    return .key(
        .mouse(
            row: Int(event >> 32), column: Int(event >> 16 & 0xFFFF),
            wheel: wheel == 0 ? 0 : wheel == 1 ? -1 : 1))
}

private let namedKeys: [Int: Key] = [
    CT_KEY_UP: .up, CT_KEY_DOWN: .down, CT_KEY_LEFT: .left, CT_KEY_RIGHT: .right,
    CT_KEY_HOME: .home, CT_KEY_END: .end, CT_KEY_PAGE_UP: .pageUp, CT_KEY_PAGE_DOWN: .pageDown,
    CT_KEY_INSERT: .insert, CT_KEY_DELETE: .delete, CT_KEY_BACKSPACE: .backspace,
    CT_KEY_ENTER: .enter, CT_KEY_BACK_TAB: .backTab,
]
