extension Rule {
    static let ioThreadRules: [Rule] = []
}
