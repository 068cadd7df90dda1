internal import Grid

extension Painter {
    /// The last line: a question, else a message, else the keys, each F-key with its letter twin.
    mutating func drawFooter() {
        guard let row = layout.footer else { return }
        if let prompt = state.prompt {
            draw(prompt, row: row)
        } else if let message = state.message {
            putCut(message, row: row, column: 0, width: columns, style: Style(.warning, bold: true))
        } else {
            drawKeys(row: row)
        }
    }

    private mutating func drawKeys(row: Int) {
        var column = 0
        let isReplay = state.replay != nil
        for binding in Keymap.bindings
        where binding.works(on: state.screen) && binding.works(inReplay: isReplay) {
            guard var title = isReplay ? binding.footerInReplay : binding.footer else {
                continue
            }
            if binding.action == .pause && state.isStill(history) { title = "Go on" }
            let keys = binding.keys.prefix(2).map(\.title).joined()
            let width = keys.utf8.count + title.utf8.count
            guard column + width <= columns else { continue }
            column = grid.put(keys, row: row, column: column, style: Style(.key))
            column = grid.put(title, row: row, column: column, style: Style(.label)) + 1
        }
    }

    private mutating func draw(_ prompt: Prompt, row: Int) {
        var column = grid.put(
            prompt.kind.label, row: row, column: 0, style: Style(.title, bold: true))
        // The end of a long input is what is being typed.
        let room = max(0, columns - column - 2)
        let shown = String(prompt.text.unicodeScalars.suffix(room))
        column = grid.put(shown, row: row, column: column, limit: room)
        grid.cursor = (row, min(column, columns - 1))
        column += 2
        for candidate in prompt.candidates {
            guard column + candidate.utf8.count <= columns else { break }
            let isChosen = candidate == prompt.chosen
            let text = isChosen ? "[" + candidate + "]" : candidate
            column =
                1
                + grid.put(
                    text, row: row, column: column, style: Style(isChosen ? .key : .muted))
        }
    }
}
