extension Rule {
    static let queueRules: [Rule] = []
}
