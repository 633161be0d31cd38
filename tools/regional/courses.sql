-- A small catalogue in four languages.
INSERT INTO subjects (id, name) VALUES
    ('mathematics', 'Mathematics'), ('languages', 'Languages'), ('sciences', 'Sciences'),
    ('music', 'Music'), ('computing', 'Computing'), ('history', 'History');
INSERT INTO teachers (id, name) VALUES
    ('asha-menon', 'Asha Menon'), ('lan-nguyen', 'Nguyễn Thị Lan'), ('peter-hall', 'Peter Hall'),
    ('rosa-diaz', 'Rosa Díaz'), ('ravi-sharma', 'रवि शर्मा');
INSERT INTO courses (id, language, subject, teacher, title, summary) VALUES
    ('algebra-1', 'en', 'mathematics', 'asha-menon', 'Algebra for beginners', 'Equations, functions and graphs, from the first variable to the quadratic formula.'),
    ('algebra-2', 'en', 'mathematics', 'asha-menon', 'Linear algebra', 'Vectors, matrices and systems of equations, with many worked examples.'),
    ('geometry-1', 'en', 'mathematics', 'peter-hall', 'Geometry and proof', 'Triangles, circles and the art of a convincing argument.'),
    ('statistics-1', 'en', 'mathematics', 'peter-hall', 'Statistics with real data', 'Averages, spread, chance and how to read a chart without being misled.'),
    ('python-1', 'en', 'computing', 'asha-menon', 'First steps in Python', 'Variables, loops and small programs that draw, count and play.'),
    ('python-2', 'en', 'computing', 'peter-hall', 'Python for science', 'Measure, plot and model with Python.'),
    ('web-1', 'en', 'computing', 'rosa-diaz', 'Build a web page', 'Structure, style and accessibility of pages that everybody can use.'),
    ('physics-1', 'en', 'sciences', 'peter-hall', 'Physics: motion and forces', 'Speed, acceleration and energy, with experiments at home.'),
    ('biology-1', 'en', 'sciences', 'asha-menon', 'The cell', 'From membranes to genes: how living things work.'),
    ('chemistry-1', 'en', 'sciences', 'rosa-diaz', 'Chemistry in the kitchen', 'Acids, bases and reactions that you can eat.'),
    ('piano-1', 'en', 'music', 'rosa-diaz', 'Piano for adults', 'Read notes, play simple pieces, and finish with a concert.'),
    ('history-1', 'en', 'history', 'peter-hall', 'The Silk Roads', 'Trade, faith and ideas between China and the Mediterranean.'),
    ('espanol-1', 'es', 'languages', 'rosa-diaz', 'Español para principiantes', 'Saludos, viajes y la vida diaria, con mucha conversación.'),
    ('espanol-2', 'es', 'languages', 'rosa-diaz', 'Cuentos de América Latina', 'Lectura y conversación con autores de diez países.'),
    ('toan-1', 'vi', 'mathematics', 'lan-nguyen', 'Toán cao cấp', 'Đại số tuyến tính và giải tích cho sinh viên năm nhất.'),
    ('tieng-anh-1', 'vi', 'languages', 'lan-nguyen', 'Tiếng Anh giao tiếp', 'Nghe và nói tiếng Anh hằng ngày cho người mới bắt đầu.'),
    ('ganit-1', 'hi', 'mathematics', 'ravi-sharma', 'गणित के मूल सिद्धांत', 'संख्याएँ, भिन्न और समीकरण, सरल उदाहरणों के साथ।'),
    ('vigyan-1', 'hi', 'sciences', 'ravi-sharma', 'विज्ञान के प्रयोग', 'घर पर किए जाने वाले सरल प्रयोग।');
INSERT INTO terms (course, name, starts, ends)
    SELECT id, 'Spring 2027', '2027-01-11', '2027-04-02' FROM courses;
INSERT INTO terms (course, name, starts, ends)
    SELECT id, 'Summer 2027', '2027-05-03', '2027-07-16' FROM courses WHERE language = 'en';
INSERT INTO prices (course, currency, amount)
    SELECT id, 'GBP', 9000 + 1000 * (length(title) % 5) FROM courses;
INSERT INTO prices (course, currency, amount)
    SELECT id, 'INR', 450000 FROM courses WHERE language IN ('en', 'hi');
