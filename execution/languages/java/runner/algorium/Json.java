package algorium;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads and writes JSON: maps, lists, texts, booleans, null, and Long, BigInteger or Double. */
final class Json {
    private static final int DEEPEST = 500;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) throw json.wrong();
        return value;
    }

    private Object value() {
        space();
        char next = peek();
        switch (next) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> found = new LinkedHashMap<>();
        enter();
        space();
        if (peek() == '}') return leave(found);
        while (true) {
            space();
            String name = string();
            space();
            expect(':');
            found.put(name, value());
            space();
            if (peek() == '}') return leave(found);
            expect(',');
        }
    }

    private List<Object> array() {
        List<Object> found = new ArrayList<>();
        enter();
        space();
        if (peek() == ']') return leave(found);
        while (true) {
            found.add(value());
            space();
            if (peek() == ']') return leave(found);
            expect(',');
        }
    }

    private String string() {
        expect('"');
        StringBuilder found = new StringBuilder();
        while (true) {
            char next = peek();
            at++;
            if (next == '"') return found.toString();
            found.append(next == '\\' ? escaped() : next);
        }
    }

    private char escaped() {
        char next = peek();
        at++;
        switch (next) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                at += 4;
                return (char) Integer.parseInt(text.substring(at - 4, at), 16);
            default:
                return next;
        }
    }

    private Number number() {
        int from = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
        String found = text.substring(from, at);
        if (found.isEmpty()) throw wrong();
        if (found.matches("-?\\d+")) {
            return found.length() < 19 ? (Number) Long.valueOf(found) : whole(new BigInteger(found));
        }
        return Double.valueOf(found);
    }

    private static Number whole(BigInteger found) {
        return found.bitLength() < Long.SIZE ? (Number) found.longValue() : found;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) throw wrong();
        at += word.length();
        return value;
    }

    private void enter() {
        at++;
        if (++depth > DEEPEST) throw new IllegalArgumentException("JSON is nested too deeply");
    }

    private <T> T leave(T found) {
        at++;
        depth--;
        return found;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private char peek() {
        if (at >= text.length()) throw wrong();
        return text.charAt(at);
    }

    private void expect(char wanted) {
        if (peek() != wanted) throw wrong();
        at++;
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no valid JSON at character " + at);
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out, 0);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out, int depth) {
        if (depth > DEEPEST) {
            throw new Values.NotCarried("The result is nested too deeply, or holds itself.");
        }
        Object plain = Values.plain(value);
        if (plain instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) plain).entrySet()) {
                out.append(before);
                quote(String.valueOf(entry.getKey()), out);
                out.append(':');
                write(entry.getValue(), out, depth + 1);
                before = ",";
            }
            out.append(before.equals("{") ? "{}" : "}");
        } else if (plain instanceof Iterable) {
            String before = "[";
            for (Object one : (Iterable<?>) plain) {
                out.append(before);
                write(one, out, depth + 1);
                before = ",";
            }
            out.append(before.equals("[") ? "[]" : "]");
        } else if (plain instanceof String) {
            quote((String) plain, out);
        } else if (plain instanceof Double || plain instanceof Float) {
            double number = ((Number) plain).doubleValue();
            if (!Double.isFinite(number)) {
                throw new Values.NotCarried(
                        "The result holds NaN or infinity, which JSON can't carry.");
            }
            out.append(plain);
        } else if (plain instanceof BigDecimal) {
            out.append(((BigDecimal) plain).toPlainString());
        } else {
            out.append(plain);
        }
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int n = 0; n < text.length(); n++) {
            char one = text.charAt(n);
            if (one == '"' || one == '\\') out.append('\\').append(one);
            else if (one < ' ') out.append(String.format("\\u%04x", (int) one));
            else out.append(one);
        }
        out.append('"');
    }
}
