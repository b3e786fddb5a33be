package algorium;

/**
 * For algorithms: call other algorithms, as the person who called this one.
 *
 * <pre>Object greeting = Algorium.call("alice/Hello/1.0.0", "Bob");</pre>
 */
public final class Algorium {
    private Algorium() {}

    /** A nested call gave no result: `type` is the error's type, such as "InputError". */
    public static final class CallError extends RuntimeException {
        public final String type;

        CallError(String type, String message) {
            super(message);
            this.type = type;
        }
    }

    /** Give what "owner/name" or "owner/name/version" answers to a value. */
    public static Object call(String reference, Object value) {
        return Runner.call(reference, value, null);
    }

    /** The same, within some seconds. */
    public static Object call(String reference, Object value, double timeout) {
        return Runner.call(reference, value, timeout);
    }
}
