package algorium;

import com.algorithmia.algo.AcceptsJson;
import com.algorithmia.algo.ReturnsJson;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The author's class: its object, its functions, and which of them fits an input. */
final class Version {
    private final Object object;
    private final List<Method> applies = new ArrayList<>();
    private Object state;

    /** The version's code can't be served; the message says why. */
    static final class LoadFailed extends Exception {
        LoadFailed(String message) {
            super(message);
        }
    }

    Version(String name) throws Throwable {
        Class<?> kind = find("algorithmia." + name + "." + name, "com.algorithmia.algorithm.Algorithm", name);
        Method load = null;
        for (Class<?> at = kind; at != Object.class; at = at.getSuperclass()) {
            for (Method method : at.getDeclaredMethods()) {
                if (method.isBridge() || Modifier.isAbstract(method.getModifiers())) continue;
                method.setAccessible(true);
                if (method.getName().equals("apply")) applies.add(method);
                if (method.getName().equals("load") && load == null && method.getParameterCount() == 0) {
                    load = method;
                }
            }
        }
        if (applies.isEmpty()) throw new LoadFailed(kind.getName() + " has no method apply.");
        // What says most of its input is tried first; a text takes anything, and comes last.
        applies.sort(Comparator.comparingInt(Version::looseness));
        try {
            Constructor<?> constructor = kind.getDeclaredConstructor();
            constructor.setAccessible(true);
            object = constructor.newInstance();
            if (load != null) state = load.invoke(object);
        } catch (NoSuchMethodException error) {
            throw new LoadFailed(kind.getName() + " has no constructor without arguments.");
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }

    private static Class<?> find(String... names) throws LoadFailed {
        for (String name : names) {
            try {
                return Class.forName(name);
            } catch (ClassNotFoundException notThere) {
                continue;
            }
        }
        throw new LoadFailed("There is no class " + names[0] + ".");
    }

    private static int looseness(Method method) {
        Class<?>[] kinds = method.getParameterTypes();
        if (kinds.length != 1) return 1;
        return kinds[0] == String.class ? 2 : kinds[0] == Object.class ? 3 : 0;
    }

    /** Call the function that fits; what the author's code throws is thrown. */
    Object apply(String type, byte[] body) throws Throwable {
        Values.Mismatch last = null;
        Object value = type.equals("binary") ? body : type.equals("void") ? null : new String(body, StandardCharsets.UTF_8);
        boolean isJson = type.equals("json");
        if (isJson) value = Json.read((String) value);
        for (Method method : applies) {
            Object[] given;
            try {
                given = isJson && method.isAnnotationPresent(AcceptsJson.class)
                        ? new Object[] {new String(body, StandardCharsets.UTF_8)}
                        : arguments(method, value);
            } catch (Values.Mismatch error) {
                last = error;
                continue;
            }
            if (given == null) continue;
            Object result;
            try {
                result = method.invoke(object, given);
            } catch (InvocationTargetException error) {
                throw error.getCause();
            }
            boolean isWritten = result instanceof String && method.isAnnotationPresent(ReturnsJson.class);
            return isWritten ? Json.read((String) result) : result;
        }
        throw last != null ? last : new Values.Mismatch("No apply takes such an input.");
    }

    /** Give the arguments for one function, null where their number can't be right. */
    private Object[] arguments(Method method, Object value) throws Values.Mismatch {
        int count = method.getParameterCount();
        if (count == 1) return new Object[] {Values.as(method.getGenericParameterTypes()[0], value)};
        if (count == 2 && state != null && method.getParameterTypes()[1].isInstance(state)) {
            return new Object[] {Values.as(method.getGenericParameterTypes()[0], value), state};
        }
        if (!(value instanceof List) || ((List<?>) value).size() != count) return null;
        Object[] given = new Object[count];
        for (int n = 0; n < count; n++) {
            given[n] = Values.as(method.getGenericParameterTypes()[n], ((List<?>) value).get(n));
        }
        return given;
    }
}
