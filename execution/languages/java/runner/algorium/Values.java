package algorium;

import com.algorithmia.development.Required;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Turns what JSON says into the types of an author's function, and results into what JSON says. */
final class Values {
    private Values() {}

    /** A value that no payload can carry; the message says why. */
    static final class NotCarried extends RuntimeException {
        NotCarried(String message) {
            super(message);
        }
    }

    /** A value that isn't of the type that a function takes; the message says where. */
    static final class Mismatch extends Exception {
        Mismatch(String message) {
            super(message);
        }
    }

    static Object as(Type wanted, Object value) throws Mismatch {
        if (wanted instanceof ParameterizedType) {
            ParameterizedType given = (ParameterizedType) wanted;
            return generic((Class<?>) given.getRawType(), given.getActualTypeArguments(), value);
        }
        if (wanted instanceof Class) return as((Class<?>) wanted, value);
        return value;
    }

    private static Object generic(Class<?> kind, Type[] of, Object value) throws Mismatch {
        if (Map.class.isAssignableFrom(kind) && value instanceof Map) {
            Map<Object, Object> made = new LinkedHashMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                made.put(entry.getKey(), as(of[1], entry.getValue()));
            }
            return made;
        }
        if (kind.isAssignableFrom(ArrayList.class) && value instanceof List) {
            List<Object> made = new ArrayList<>();
            for (Object one : (List<?>) value) made.add(as(of[0], one));
            return made;
        }
        if (kind.isAssignableFrom(LinkedHashSet.class) && value instanceof List) {
            Set<Object> made = new LinkedHashSet<>();
            for (Object one : (List<?>) value) made.add(as(of[0], one));
            return made;
        }
        return as(kind, value);
    }

    private static Object as(Class<?> kind, Object value) throws Mismatch {
        if (value == null) {
            if (kind.isPrimitive()) throw mismatch(kind, null);
            return null;
        }
        if (value instanceof Number && (Number.class.isAssignableFrom(boxed(kind)))) {
            return number(boxed(kind), (Number) value);
        }
        if (boxed(kind).isInstance(value)) return value;
        if (boxed(kind) == Character.class && value instanceof String
                && ((String) value).length() == 1) {
            return ((String) value).charAt(0);
        }
        if (kind.isEnum() && value instanceof String) {
            for (Object one : kind.getEnumConstants()) {
                if (((Enum<?>) one).name().equals(value)) return one;
            }
        }
        if (kind.isArray() && value instanceof List) {
            List<?> given = (List<?>) value;
            Object made = Array.newInstance(kind.getComponentType(), given.size());
            for (int n = 0; n < given.size(); n++) {
                Array.set(made, n, as(kind.getComponentType(), given.get(n)));
            }
            return made;
        }
        if (value instanceof Map && !kind.getName().startsWith("java.") && !kind.isInterface()
                && !kind.isPrimitive() && !kind.isArray() && !kind.isEnum()) {
            return bean(kind, (Map<?, ?>) value);
        }
        throw mismatch(kind, value);
    }

    private static Object number(Class<?> kind, Number value) throws Mismatch {
        boolean isWhole = !(value instanceof Double);
        if (kind == Double.class) return value.doubleValue();
        if (kind == Float.class) return value.floatValue();
        if (kind == BigDecimal.class) return new BigDecimal(value.toString());
        if (kind.isInstance(value)) return value;
        if (!isWhole && value.doubleValue() != Math.rint(value.doubleValue())) {
            throw mismatch(kind, value);
        }
        BigInteger whole = isWhole ? new BigInteger(value.toString())
                : new BigDecimal(value.doubleValue()).toBigInteger();
        try {
            if (kind == Long.class) return whole.longValueExact();
            if (kind == Integer.class) return whole.intValueExact();
            if (kind == Short.class) return whole.shortValueExact();
            if (kind == Byte.class) return whole.byteValueExact();
        } catch (ArithmeticException tooLarge) {
            throw mismatch(kind, value);
        }
        if (kind == BigInteger.class) return whole;
        throw mismatch(kind, value);
    }

    private static Object bean(Class<?> kind, Map<?, ?> value) throws Mismatch {
        try {
            Object made = instance(kind);
            for (Field field : fields(kind)) {
                if (value.containsKey(field.getName())) {
                    field.set(made, as(field.getGenericType(), value.get(field.getName())));
                } else if (field.isAnnotationPresent(Required.class)) {
                    throw new Mismatch("The input lacks " + field.getName() + ".");
                }
            }
            return made;
        } catch (ReflectiveOperationException error) {
            throw new Mismatch("No " + kind.getSimpleName() + " can be made of the input.");
        }
    }

    /** Make an object, without its constructor where that wants arguments. */
    private static Object instance(Class<?> kind) throws ReflectiveOperationException {
        try {
            Constructor<?> constructor = kind.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (NoSuchMethodException wantsArguments) {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field only = unsafe.getDeclaredField("theUnsafe");
            only.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(only.get(null), kind);
        }
    }

    private static List<Field> fields(Class<?> kind) {
        List<Field> found = new ArrayList<>();
        for (Class<?> at = kind; at != null && !at.getName().startsWith("java."); at = at.getSuperclass()) {
            for (Field field : at.getDeclaredFields()) {
                int flags = field.getModifiers();
                if (Modifier.isStatic(flags) || Modifier.isTransient(flags) || field.isSynthetic()) continue;
                field.setAccessible(true);
                found.add(field);
            }
        }
        return found;
    }

    /** Give what JSON has a form for: a map, an iterable, a text, a number, a boolean or null. */
    static Object plain(Object value) {
        if (value == null || value instanceof String || value instanceof Boolean
                || value instanceof Number || value instanceof Map || value instanceof Collection) {
            return value;
        }
        if (value instanceof CharSequence || value instanceof Character || value instanceof Enum) {
            return value.toString();
        }
        if (value instanceof Object[]) return Arrays.asList((Object[]) value);
        if (value.getClass().isArray()) {
            return IntStream.range(0, Array.getLength(value))
                    .mapToObj(n -> Array.get(value, n)).collect(Collectors.toList());
        }
        if (value.getClass().getName().startsWith("java.")) {
            throw new NotCarried("JSON can't carry a value of type " + value.getClass().getName() + ".");
        }
        Map<String, Object> made = new LinkedHashMap<>();
        try {
            for (Field field : fields(value.getClass())) made.put(field.getName(), field.get(value));
        } catch (IllegalAccessException error) {
            throw new NotCarried("The result can't be read: " + error.getMessage());
        }
        return made;
    }

    private static Class<?> boxed(Class<?> kind) {
        return kind.isPrimitive() ? Array.get(Array.newInstance(kind, 1), 0).getClass() : kind;
    }

    private static Mismatch mismatch(Class<?> kind, Object value) {
        String shown = value == null ? "null" : Json.write(value);
        if (shown.length() > 60) shown = shown.substring(0, 60) + "…";
        return new Mismatch("A " + kind.getSimpleName() + " was expected, and " + shown + " was given.");
    }
}
