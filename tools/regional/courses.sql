-- The courses of a local run, in four languages.
INSERT INTO subjects (id, name) VALUES
    ('time', 'Time'),
    ('maps', 'Maps'),
    ('sky', 'The sky'),
    ('mathematics', 'Mathematics'),
    ('sciences', 'Sciences'),
    ('computing', 'Computing'),
    ('languages', 'Languages'),
    ('music', 'Music'),
    ('history', 'History');
INSERT INTO teachers (id, name) VALUES
    ('asha-menon', 'Asha Menon'),
    ('lan-nguyen', 'Nguyễn Thị Lan'),
    ('minh-tran', 'Trần Đức Minh'),
    ('peter-hall', 'Peter Hall'),
    ('rosa-diaz', 'Rosa Díaz'),
    ('ravi-sharma', 'रवि शर्मा'),
    ('meera-joshi', 'मीरा जोशी'),
    ('grace-okafor', 'Grace Okafor');
INSERT INTO courses (id, language, subject, teacher, title, summary) VALUES
    ('noon', 'en', 'time', 'grace-okafor', 'Where is noon?', 'Why your noon isn’t mine, what a meridian is, and how a day goes round the earth. You build a sundial and read it for a week.'),
    ('time-zones', 'en', 'time', 'grace-okafor', 'Time zones and how to live with them', 'Offsets, summer time and the date line, with timetables, phone calls and flights as exercises.'),
    ('calendars', 'en', 'time', 'asha-menon', 'Calendars of the world', 'Sun, moon and both: how people counted days, why February is short, and when the year begins elsewhere.'),
    ('clocks', 'en', 'time', 'peter-hall', 'From water clock to atom', 'How clocks became a million times better, and what changed in daily life each time.'),
    ('navigation', 'en', 'maps', 'grace-okafor', 'Navigation with a watch and the sun', 'Find your longitude at sea with nothing but a watch and the sun, as sailors did for two hundred years.'),
    ('map-reading', 'en', 'maps', 'peter-hall', 'Read a map, find your way', 'Scale, contour lines and a compass. The last lesson is a walk in a place that you have never seen.'),
    ('map-projections', 'en', 'maps', 'asha-menon', 'Why every flat map is wrong', 'Project an orange, a globe and a city, and choose the map that lies least for what you need.'),
    ('street-maps', 'en', 'maps', 'rosa-diaz', 'Map your own neighbourhood', 'Measure, draw and publish streets, trees and ramps with free tools, so that others can use them.'),
    ('night-sky-1', 'en', 'sky', 'grace-okafor', 'Your first night sky', 'Find ten constellations without a telescope, tell a planet from a star, and keep a diary of the moon.'),
    ('night-sky-2', 'en', 'sky', 'grace-okafor', 'Telescopes and what they show', 'Choose, build and point a small telescope. Craters, rings and moons are within reach of a balcony.'),
    ('eclipses', 'en', 'sky', 'asha-menon', 'Eclipses', 'Why they are rare where you live, how to predict one with circles of paper, and how to watch safely.'),
    ('algebra-1', 'en', 'mathematics', 'asha-menon', 'Algebra for beginners', 'Equations, functions and graphs, from the first variable to the quadratic formula.'),
    ('algebra-2', 'en', 'mathematics', 'asha-menon', 'Linear algebra', 'Vectors, matrices and systems of equations, with many worked examples.'),
    ('geometry-1', 'en', 'mathematics', 'peter-hall', 'Geometry and proof', 'Triangles, circles and the art of a convincing argument.'),
    ('statistics-1', 'en', 'mathematics', 'peter-hall', 'Statistics with real data', 'Averages, spread, chance and how to read a chart without being misled.'),
    ('python-1', 'en', 'computing', 'asha-menon', 'First steps in Python', 'Variables, loops and small programs that draw, count and play.'),
    ('python-2', 'en', 'computing', 'peter-hall', 'Python for science', 'Measure, plot and model with Python: a pendulum, a shadow and a week of temperatures.'),
    ('web-1', 'en', 'computing', 'rosa-diaz', 'Build a web page', 'Structure, style and accessibility of pages that everybody can use.'),
    ('physics-1', 'en', 'sciences', 'peter-hall', 'Physics: motion and forces', 'Speed, acceleration and energy, with experiments at home.'),
    ('biology-1', 'en', 'sciences', 'asha-menon', 'The cell', 'From membranes to genes: how living things work.'),
    ('chemistry-1', 'en', 'sciences', 'rosa-diaz', 'Chemistry in the kitchen', 'Acids, bases and reactions that you can eat.'),
    ('clouds', 'en', 'sciences', 'grace-okafor', 'Read the clouds', 'Clouds, pressure and wind. You forecast for two weeks and compare yourself with the professionals.'),
    ('piano-1', 'en', 'music', 'rosa-diaz', 'Piano for adults', 'Read notes, play simple pieces, and finish with a concert.'),
    ('history-1', 'en', 'history', 'peter-hall', 'The Silk Roads', 'Trade, faith and ideas between China and the Mediterranean.'),
    ('hindi-1', 'en', 'languages', 'meera-joshi', 'Hindi for travellers', 'Read Devanagari, ask for the way, order food, and tell the time.'),
    ('vietnamese-1', 'en', 'languages', 'lan-nguyen', 'Vietnamese from the first tone', 'Six tones, everyday sentences and the vowels with two marks, with much listening.'),
    ('samay-1', 'hi', 'time', 'ravi-sharma', 'समय और घड़ी', 'दिन, घंटे और मिनट कैसे बने, और अलग-अलग शहरों में समय अलग क्यों है।'),
    ('panchang', 'hi', 'time', 'meera-joshi', 'पंचांग को समझें', 'तिथि, मास और अधिक मास: चाँद और सूरज से बने कैलेंडर का गणित।'),
    ('naksha-1', 'hi', 'maps', 'meera-joshi', 'नक्शा पढ़ना सीखें', 'पैमाना, दिशा और चिह्न। अंत में अपने मोहल्ले का नक्शा बनाएँ।'),
    ('akash-1', 'hi', 'sky', 'ravi-sharma', 'रात का आकाश', 'बिना दूरबीन के तारे, ग्रह और राशियाँ पहचानें, और चाँद की डायरी रखें।'),
    ('ganit-1', 'hi', 'mathematics', 'ravi-sharma', 'गणित के मूल सिद्धांत', 'संख्याएँ, भिन्न और समीकरण, सरल उदाहरणों के साथ।'),
    ('jyamiti', 'hi', 'mathematics', 'ravi-sharma', 'ज्यामिति', 'रेखाएँ, कोण और वृत्त, और उन्हें सिद्ध करने की कला।'),
    ('vigyan-1', 'hi', 'sciences', 'ravi-sharma', 'विज्ञान के प्रयोग', 'घर पर किए जाने वाले सरल प्रयोग।'),
    ('computer-1', 'hi', 'computing', 'meera-joshi', 'कंप्यूटर की शुरुआत', 'फ़ाइलें, इंटरनेट और सुरक्षित पासवर्ड, पहली बार सीखने वालों के लिए।'),
    ('angrezi-1', 'hi', 'languages', 'meera-joshi', 'बोलचाल की अंग्रेज़ी', 'रोज़ के वाक्य, सही उच्चारण और बहुत सारा अभ्यास।'),
    ('mui-gio', 'vi', 'time', 'lan-nguyen', 'Múi giờ và đường đổi ngày', 'Vì sao giờ ở Hà Nội khác giờ ở Luân Đôn, và cách tính giờ khi gọi điện hay đi xa.'),
    ('am-lich', 'vi', 'time', 'minh-tran', 'Âm lịch và dương lịch', 'Tháng nhuận, ngày rằm và cách tính ngày Tết bằng mặt trăng và mặt trời.'),
    ('ban-do', 'vi', 'maps', 'minh-tran', 'Đọc bản đồ', 'Tỉ lệ, phương hướng và la bàn. Bài cuối là một chuyến đi bộ với bản đồ do bạn tự vẽ.'),
    ('bau-troi', 'vi', 'sky', 'lan-nguyen', 'Bầu trời đêm', 'Nhận ra mười chòm sao bằng mắt thường và ghi nhật ký về mặt trăng.'),
    ('toan-1', 'vi', 'mathematics', 'lan-nguyen', 'Toán cao cấp', 'Đại số tuyến tính và giải tích cho sinh viên năm nhất.'),
    ('xac-suat', 'vi', 'mathematics', 'minh-tran', 'Xác suất và thống kê', 'Từ con xúc xắc đến dự báo thời tiết, với số liệu thật.'),
    ('lap-trinh', 'vi', 'computing', 'minh-tran', 'Lập trình Python', 'Biến, vòng lặp và những trò chơi nhỏ đầu tiên của bạn.'),
    ('khoa-hoc', 'vi', 'sciences', 'minh-tran', 'Khoa học trong nhà bếp', 'Những thí nghiệm an toàn với nước, muối, giấm và ánh sáng.'),
    ('tieng-anh-1', 'vi', 'languages', 'lan-nguyen', 'Tiếng Anh giao tiếp', 'Nghe và nói tiếng Anh hằng ngày cho người mới bắt đầu.'),
    ('espanol-1', 'es', 'languages', 'rosa-diaz', 'Español para principiantes', 'Saludos, viajes y la vida diaria, con mucha conversación.'),
    ('espanol-2', 'es', 'languages', 'rosa-diaz', 'Cuentos de América Latina', 'Lectura y conversación con autores de diez países.');
INSERT INTO terms (course, name, starts, ends)
    SELECT id, 'Spring 2027', '2027-01-11', '2027-04-02' FROM courses;
INSERT INTO terms (course, name, starts, ends)
    SELECT id, 'Summer 2027', '2027-05-03', '2027-07-16' FROM courses WHERE language = 'en';
INSERT INTO prices (course, currency, amount)
    SELECT id, 'GBP', 9000 + 1000 * (length(title) % 5) FROM courses;
INSERT INTO prices (course, currency, amount)
    SELECT id, 'INR', 450000 FROM courses WHERE language IN ('en', 'hi');
INSERT INTO prices (course, currency, amount)
    SELECT id, 'VND', 1800000 FROM courses WHERE language IN ('en', 'vi');
