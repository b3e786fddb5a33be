public class Broken {
    public void load() {
        System.out.println("reading weights");
        throw new IllegalStateException("no weights");
    }

    public Object apply(Object value) {
        return value;
    }
}
